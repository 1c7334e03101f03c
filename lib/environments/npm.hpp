// npm(1).
#pragma once

#include "lib/process/command.hpp"

namespace deployment {

// The commands that install the dependencies of the package.json in
// `prototype`'s directory. --no-save installs the same tree and leaves
// package-lock.json alone; another npm than the one that wrote it would
// rewrite it, and the next pull that changes it would be refused.
Sequence npm_install(Command prototype);

}  // namespace deployment
