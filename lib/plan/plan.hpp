// Decides what to do, as data. make_plan() is pure: no process, no file, no
// clock.
#pragma once

#include "lib/plan/obstacle.hpp"
#include "lib/plan/steps.hpp"

namespace deployment {

// Plans what Verdict::deploy asks for. Throws Obstacle when nothing may be
// done: the branch diverged, local changes are in the way, a git is running in
// the checkout.
Plan make_plan(const Config& config, const Record& record,
               const Observation& seen, bool force);

// Returns the ref under which a commit that a reset takes off the branch stays
// reachable.
std::string lost_ref(const CommitId& commit);

}  // namespace deployment
