// Decides from the heads and the record whether there is something to do. The
// tick, a real run, a dry run and its JSON all ask here.
#pragma once

#include "lib/checkout/state.hpp"
#include "lib/model/config.hpp"
#include "lib/model/record.hpp"

namespace deployment {

enum class Verdict {
  up_to_date,   // the tip is checked out, and its deployment is done
  quarantined,  // the tip was taken back; another commit has to come
  waiting,      // the tip failed, and its next try is not due
  deploy,       // observe, plan and apply
};

// --force always deploys.
Verdict decide(const Config& config, const Record& record, const Heads& heads,
               Time now, bool force);

// "up-to-date", "quarantined", "waiting", "deploy"
std::string_view to_string(Verdict verdict);

// Returns the commit of the branch here: of the local branch, or of the
// remote-tracking one, from which git checkout would create it.
const std::optional<CommitId>& local_commit(const Heads& heads);

// Returns true when the record knows of nothing that is left to do for what is
// checked out. A record that knows no deployment adopts what is checked out.
bool is_settled(const Config& config, const Record& record, const Heads& heads);

}  // namespace deployment
