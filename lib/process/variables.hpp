// The variables that children get.
#pragma once

#include "lib/process/command.hpp"

namespace deployment {

// Returns the variables of a child that needs nothing of a person: of those of
// this process PATH, LANG, LC_*, TZ, TMPDIR and proxies. PATH and LANG are
// there in any case.
Variables common_variables();

// The folders in which programs are looked for; empty: there is no PATH.
std::string search_path(const Variables& variables);

// Lists the paths at which a program is looked for, in their order.
Words places_of(std::string_view program, const Variables& variables);

// Returns the variables of a child that runs as `user`: the common ones, those
// that `passed` names, as far as this process has them, and HOME, USER, LOGNAME
// and SHELL of `user`. With nullopt, for the user of this process, these four
// and the settings of git, ssh, npm and pip are those of this process, and HOME
// is there in any case. A variable by which git finds a repository never gets
// in, whoever names it: a hook may have started this process.
Variables child_variables(const std::optional<User>& user, const Words& passed);

}  // namespace deployment
