// Decides whether and to which commit a run goes back.
#pragma once

#include "lib/plan/plan.hpp"

namespace deployment {

// Returns the commit that a failed deployment goes back to; nullopt when there
// is nothing to take back, or no way back: only a staged deployment keeps what
// it replaces, and a first environment replaces nothing.
std::optional<CommitId> commit_to_roll_back_to(const Config& config,
                                               const Record& record,
                                               const Plan& plan,
                                               bool made_first_environment);

// Returns the commit that was deployed before the present one, by the history;
// nullopt when there is none.
std::optional<CommitId> commit_before(const Record& record);

}  // namespace deployment
