// Keeps environments and the repository in order after a deployment.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"

namespace deployment {

// Labels environments in use of a plan's components that have no label, as
// those of an earlier version, and lets the record say what the labels do: a
// run may have been killed between the two. Throws Error when that fails.
void label_environments(Host& host, const Plan& plan, Journal& journal);

// The following say what fails as a warning: no deployment depends on it.

// Labels the environments in use of a plan's components as verified.
void end_trials(Host& host, const Plan& plan);

// After a failure: moves back what an exchange that failed halfway has moved,
// removes the stage, and kept environments but those that were put aside last
// and those that a rollback may need.
void prune(Host& host, const Record& record);

// Does the same, and lets git tidy up.
void tidy(Host& host, const Record& record);

}  // namespace deployment
