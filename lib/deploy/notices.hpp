// Tells a program of the host when the outcome of deployments changes.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/model/outcome.hpp"

namespace deployment {

// Returns true when a held run has something to tell. Reads the record, if a
// program is configured that may be told.
bool has_news(const Config& config);

// Calls the configured program for each change that it was not called for, and
// notes it in the record, before and after that. `seen` says what the run
// knows; the rest of it is looked up here. A program that fails is called again
// later; that is a warning, and so is anything else that goes wrong here. The
// caller holds the lock. Throws Interrupted.
void tell(const Host& host, Journal& journal, Sight seen);

// Does the same for a run that ended before it had the checkout, the lock and
// the record. It is noted in a file beside the record, from which the next
// tell() at the begin of a run takes it over.
void tell_of_stop(const Config& config, const Failure& failure, Log& log,
                  CommandRunner& runner);

}  // namespace deployment
