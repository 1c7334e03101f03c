// Carries out the steps of plans.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/services/verify.hpp"

namespace deployment {

// The work of one run, with what its steps leave for those after them.
struct Work {
  Host& host;
  Journal& journal;
  std::optional<Change> change = {};  // that the steps deploy
  UnitStates states_before = {};
  // An environment was put into use where there was none. A rollback would find
  // nothing to put back.
  bool made_first_environment = false;
};

// Carries out a step. It is written to the journal before and after what it
// changes, so that a run that is killed anywhere can be continued. Throws Error
// when the step fails, and Interrupted.
void carry_out(const Step& step, Work& work);

}  // namespace deployment
