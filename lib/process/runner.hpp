// Runs commands as child processes.
#pragma once

#include "lib/base/log.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Each child leads a process group of its own, and where there is a controlling
// terminal a session, so that it cannot ask a person for a password. (A session
// costs more: the scheduler gives each its own share, sched(7), autogroup.) The
// group is ended as a whole: SIGTERM at the deadline or when this process is
// told to end, SIGKILL after `grace`, each second. A child that has not ended
// `grace` later is given up, as killed by SIGKILL, and the log says so: another
// process traces it, or it sleeps at a dead disk. When the child has ended,
// what is left of its group is killed; a process that left the group may hold
// the pipes, so they are read for at most `drain` more. A child dies with this
// process (PR_SET_PDEATHSIG).
class ProcessRunner : public CommandRunner {
 public:
  // Catches signals (lib/base/signals.hpp).
  explicit ProcessRunner(Log& log);

  std::vector<Results> run_sequences(
      std::span<const Sequence> sequences) override;

  static constexpr std::chrono::seconds grace{10};
  static constexpr std::chrono::seconds drain{2};

 private:
  Log& log_;
};

}  // namespace deployment
