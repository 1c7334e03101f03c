// Names all that is in the way of deployments on this host.
#pragma once

#include "lib/base/log.hpp"
#include "lib/model/config.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Looks at everything that a deployment needs, with the variables that the
// service has, and prints what it finds, each with its remedy: as lines or as
// one JSON object. Changes nothing that stays, and takes no lock. Returns 1
// when something is in the way, else 0. Throws UsageError for settings that no
// run accepts. The variables of this process are others afterwards.
int check(const Config& config, bool json, Log& log, CommandRunner& runner);

}  // namespace deployment
