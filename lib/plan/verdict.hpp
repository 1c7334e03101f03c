#pragma once

#include "lib/base/time.hpp"
#include "lib/checkout/git_output.hpp"
#include "lib/model/config.hpp"
#include "lib/model/record.hpp"

namespace deployment {

// The commit that the branch is at here: of the local branch, else of the
// remote-tracking one, from which git checkout would create it.
const std::string& local_commit(const Heads& heads);

// The commit at the remote did not stay up, and nothing is to be done about it
// until another one comes.
bool is_quarantined(const Record& record, const Heads& heads);

// The remote's commit failed and its next try is not due.
bool is_postponed(const Record& record, const Heads& heads, Time now);

// The deployment of what is checked out is done as far as the record knows. A
// record that knows of no deployment adopts what is checked out.
bool is_settled(const Config& config, const Record& record, const Heads& heads);

// True when nothing is to do, seen from the heads alone.
bool is_up_to_date(const Config& config, const Record& record,
                   const Heads& heads);

}  // namespace deployment
