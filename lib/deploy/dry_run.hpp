// Says what a run would do now, and changes nothing.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/model/request.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {

// Decides as a run that would begin now; `record` becomes what that would make
// of it first.
Verdict foresee(const Host& host, Record& record, const Heads& heads,
                bool force);

// Gathers all facts without touching the repository: a tip that is not here is
// fetched into a temporary object directory.
Observation observe_aside(const Host& host, const Record& record,
                          const Heads& heads, bool force);

// Prints the plan on standard output, as lines or as one JSON object. Returns
// the exit code that the run's verdict has: 1 when the remote is away or the
// commit is pending or quarantined.
int dry_run(Host& host, const Record& record, const Request& request);

}  // namespace deployment
