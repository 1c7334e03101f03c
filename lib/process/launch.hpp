// Starts a child process.
#pragma once

#include "lib/base/file.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// A child that runs the command's program. The caller reaps it.
struct Launched {
  pid_t pid = 0;  // it leads a process group of its own
  Descriptor out;
  Descriptor err;
};

// Throws Error when the command cannot be started: there is no such program, or
// the child could not become what its context asks for.
Launched launch(const Command& command);

}  // namespace deployment
