// Decides from the heads and the record whether there is something to do. The
// tick, a real run, a dry run and its JSON all ask here.
#pragma once

#include "lib/model/config.hpp"
#include "lib/plan/facts.hpp"

namespace deployment {

enum class Verdict {
  up_to_date,   // the tip is checked out, and its deployment is done
  quarantined,  // the tip was taken back; another commit has to come
  waiting,      // the tip failed, and its next try is not due
  deploy,       // observe, plan and apply
  // The tip was taken back, or was tried and changed nothing, and what is
  // deployed does not stand, or not as it is configured.
  repair,
};

// --force always deploys.
Verdict decide(const Config& config, const Record& record,
               const Standing& standing, const Heads& heads, Time now,
               bool force);

// Returns the remote's commit of a deployment or rollback that a run goes on
// with at `now`, whatever the remote has by then; nullopt: there is none.
std::optional<CommitId> commit_under_way(const Record& record, Time now);

// Returns true when the gate is asked about a deployment of `tip`: it is
// another commit than the one that is deployed, no rollback, and nothing has
// moved yet.
bool has_gate(const Config& config, const Record& record, const CommitId& tip);

// Returns true when the gate has put the deployment of `tip` off.
bool is_put_off(const Config& config, const Record& record,
                const CommitId& tip);

// "up-to-date", "quarantined", "waiting", "deploy", "repair"
std::string_view to_string(Verdict verdict);

// Returns the commit of the branch here: of the local branch, or of the
// remote-tracking one, from which git checkout would create it.
const std::optional<CommitId>& local_commit(const Heads& heads);

// Returns true when the record knows the component as it is configured now.
// Records of earlier versions do not say how it was.
bool was_configured_so(const Component& component, const Record& record);

// Returns true when nothing is left to do for what is checked out: each
// component was deployed there as it is configured, and what it runs on stands.
// A record that knows no deployment adopts what stands complete.
bool is_settled(const Config& config, const Record& record,
                const Standing& standing, const Heads& heads);

}  // namespace deployment
