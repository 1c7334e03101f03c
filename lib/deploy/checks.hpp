// Runs the commands by which a component says whether a commit may be deployed,
// and what it asks for before that.
#pragma once

#include "lib/deploy/work.hpp"

namespace deployment {

// Returns the context of a component's commands: in its folder and as the
// checkout's user, a program of its environment before others of the name.
Context context_of(const Component& component, const ComponentFacts& facts,
                   const Host& host);

// Runs the checks of a component in its context. Where the commit is
// laid out aside they run there, and cannot write to the environment. Throws
// Error when one of them fails.
void run_checks(const Check& step, Work& work);

// Runs the releases of a component in the same way, and records it when all
// have succeeded.
void run_releases(const Release& step, Work& work);

// Finds the kept environment that is to be put into use. Throws Error when
// there is none.
std::filesystem::path kept_environment(const Component& component,
                                       const ComponentFacts& facts,
                                       const Work& work);

}  // namespace deployment
