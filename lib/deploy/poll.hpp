// Looks whether a run has something to do.
#pragma once

#include "lib/base/log.hpp"
#include "lib/model/config.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Asks the remote as a run does. When a run would change nothing and end with
// 0, says what that would say. Otherwise, a failure included, lets systemd
// start `unit`, which runs this program confined. Takes no lock and writes no
// file. Returns the exit code. Throws Error when the unit cannot be started.
int poll(const Config& config, const std::string& unit, Log& log,
         CommandRunner& runner);

}  // namespace deployment
