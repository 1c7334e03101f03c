// SIGTERM, SIGINT and SIGHUP as a flag that waits look at.
#pragma once

#include <chrono>
#include <csignal>

namespace deployment {

// From here on the three signals only raise a flag, and are delivered only
// inside a wait that takes wait_mask() (ppoll(2)): none is lost between a look
// at the flag and the wait. A signal that was ignored stays ignored (nohup).
// SIGPIPE is ignored: a reader that went away must not end a deployment.
void catch_termination();

// The signal that asked this run to end; 0: none.
int termination_signal();

// The mask to wait with; every other mask keeps the three signals blocked.
const sigset_t& wait_mask();

// Throws Interrupted when the flag is up.
void throw_if_interrupted();

// Waits; throws Interrupted as soon as the flag is up.
void wait_for(std::chrono::milliseconds duration);

}  // namespace deployment
