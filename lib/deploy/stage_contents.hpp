// Tells what is in the stage of a build beside what the build makes.
#pragma once

#include <set>

#include "lib/deploy/work.hpp"
#include "lib/environments/stage.hpp"

namespace deployment {

// Lists the environments of all components at the commit, which are none of
// their outputs. In the folder of a workspace npm may make another
// node_modules, which is one.
std::set<std::string> environments_of(const Build& step, const Work& work);

// Returns what is laid out for a build.
Layout layout_of(const Build& step, const Work& work);

// Returns the mounts that show what other components have: a build reads what
// others made earlier. Adds the paths to `others`; what is `made` anew stays.
std::vector<Mount> mounts_of_others(const Build& step, Work& work,
                                    const std::set<std::string>& made,
                                    std::set<std::string>& others);

}  // namespace deployment
