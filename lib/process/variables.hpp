// The variables that children get.
#pragma once

#include "lib/process/command.hpp"

namespace deployment {

// The variables of this process without what would misdirect a child: git's
// own variables that name a repository (a hook may have started us) and what
// the service manager means for this process alone. With `user`, who is
// somebody else than this process, the caller's own variables (HOME, USER,
// SUDO_*, XDG_*, …) are replaced by those of `user`; what a unit sets, such as
// proxies, stays. PATH and LANG are there in any case.
Variables child_variables(const std::optional<User>& user);

}  // namespace deployment
