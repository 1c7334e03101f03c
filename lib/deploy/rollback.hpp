// Decides whether and to which commit a run goes back.
#pragma once

#include <set>

#include "lib/deploy/host.hpp"

namespace deployment {

// Counts the environments in use that are on trial: those for which one is kept
// that was in use before and was made from the same, and those for which none
// is that was in use before.
struct Trials {
  int repeated = 0;
  int first = 0;
};

// Looks at the environments of a plan's components.
Trials trials_of(const Host& host, const Plan& plan);

struct WayBack {
  std::optional<CommitId> to = {};
  std::string why_none = {};  // empty: there is nothing to take back
};

// Returns the commit that a failed deployment, or a rollback by hand to another
// commit than the deployed one, goes back to, or why there is none: only a
// staged deployment keeps what it replaces, and the first one has replaced
// nothing.
WayBack way_back(const Config& config, const Record& record, const Plan& plan,
                 const Trials& trials);

// Returns the commit that a rollback by hand goes to: the last good one when a
// deployment or rollback is unfinished and has moved something, else the one
// that was deployed before the present one, by the history. nullopt: none.
std::optional<CommitId> commit_before(const Record& record);

// Returns the commit that a rollback leaves, when it returns to the deployed
// one.
CommitId commit_that_failed(const Record& record);

// Returns the quarantined commit that is not to blame when services do not run
// as they should on the commit before it either; nullopt: there is none.
std::optional<CommitId> commit_to_acquit(const Record& record);

// Returns a rollback that has ended as the history is to tell it. `person`
// asked for this run; empty: for one before it, or nobody did.
Deployment told_as_it_was(Deployment ended, const Record& record,
                          const std::string& person);

// Returns the commit of the history that was deployed and begins with `digits`,
// or without any commit_before(). Throws Error, which lists the history, when
// there is none or more than one.
CommitId commit_asked_for(const Record& record, const std::string& digits,
                          const Config& config);

// Throws Error when a commit to roll back to is not in the checkout any more.
void require_here(const Host& host, const CommitId& commit);

// Returns true when the branch here has commits that the remote's has not.
bool has_own_commits(const Host& host, const Heads& heads);

// Returns the commits whose environments a rollback may need.
std::set<CommitId> commits_to_keep(const Record& record);

}  // namespace deployment
