// Carries out one run: lock, deploy, tell.
#pragma once

#include "lib/base/log.hpp"
#include "lib/model/config.hpp"
#include "lib/model/request.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Carries out one run and returns its exit code: 0 up to date, deployed, held,
// put off by the gate, or rolled back by a person; 1 the remote is away, or its
// commit is pending or quarantined. Throws Error for everything that ends a run
// before it began to plan, and Interrupted.
int run(const Config& config, const Request& request, Log& log,
        CommandRunner& runner);

}  // namespace deployment
