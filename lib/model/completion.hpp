// Completes the components of a configuration file.
#pragma once

#include <set>

#include "lib/model/component.hpp"

namespace deployment {

// Fills in what follows from name and type of a component that has `keys` in
// its section. Throws UsageError, one line that begins with `source`, when
// something is missing or contradicts something else.
void complete(Component& component, const std::set<std::string>& keys,
              const std::string& source);

// Throws UsageError when two components have one environment, or the one has
// its own in that of the other: they would build it at the same time.
void require_own_environments(const std::vector<Component>& components,
                              const std::string& source);

}  // namespace deployment
