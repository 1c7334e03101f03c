// Says what a run would do now, and changes nothing.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/model/request.hpp"

namespace deployment {

// Prints the plan on standard output, as lines or as one JSON object. Returns
// the exit code that the run's verdict has: 1 when the remote is away or the
// commit is pending or quarantined.
int dry_run(Host& host, const Record& record, const Request& request);

}  // namespace deployment
