// Signals that end a wait: a child that ended, and a request to end this run.
#pragma once

#include <chrono>
#include <csignal>
#include <string>

namespace deployment {

// SIGTERM, SIGINT or SIGHUP asked this run to end. Not an Error, and not an
// exception of the standard library either: code that handles failures must
// not catch it by accident.
class Interrupted {
 public:
  explicit Interrupted(int signal) : signal_(signal) {}

  std::string text() const;                        // "interrupted by SIGTERM"
  int exit_code() const { return 128 + signal_; }  // as a shell tells it

 private:
  int signal_;
};

// From here on SIGTERM, SIGINT and SIGHUP only raise a flag, and SIGCHLD only
// wakes a wait. All four are delivered only inside a wait that takes
// wait_mask() (ppoll(2)): none is lost between a look and the wait. A signal
// that was ignored stays ignored (nohup). SIGPIPE is ignored: a reader that
// went away must not end a deployment. Calling it again changes nothing.
void catch_signals();

// The signal that asked this run to end; 0: none.
int termination_signal();

// The mask to wait with; every other mask keeps the signals blocked.
const sigset_t& wait_mask();

// Throws Interrupted when the flag is up.
void throw_if_interrupted();

// Waits; throws Interrupted as soon as the flag is up.
void wait_for(std::chrono::milliseconds duration);

}  // namespace deployment
