// Deploys the remote's tip, or rolls back: observe, plan, apply, verify,
// record.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/model/request.hpp"

namespace deployment {

// Does what a run that may change something was started for, and returns its
// exit code. The caller holds the lock. Throws Error for everything that ends a
// run before it began to plan, and Interrupted.
int deploy(Host& host, const Request& request, Journal& journal);

}  // namespace deployment
