// Installs the dependencies of a Node.js package by npm(1).
#pragma once

#include "lib/process/command.hpp"

namespace deployment {

// Returns the commands that install what the package.json in the directory of
// `context` asks for; `purpose` is theirs in errors. --no-save leaves
// package-lock.json alone: another npm than the one that wrote it would rewrite
// it, and git would refuse the next pull that changes it.
Sequence npm_install(const std::string& purpose, const Context& context);

}  // namespace deployment
