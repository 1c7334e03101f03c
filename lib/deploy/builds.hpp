// Builds environments, aside and in place.
#pragma once

#include "lib/deploy/work.hpp"

namespace deployment {

// Returns the commands of a component's install, and those of its `build`, in
// their order.
Sequence commands_of(const Install& install, const Host& host);

// Lays the commit out aside, installs for all components at the same time, and
// then runs the commands of their `build`, one component after the other. Keeps
// each environment that was built, with what was made beside it. Throws Error
// when one of them fails.
void build_aside(const Build& step, Work& work);

}  // namespace deployment
