// The work of one run.
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
  UnitStates states_before = {};      // of the units that they restart
  // Shows the commit that is laid out aside to commands; empty: none is.
  std::vector<Mount> stage = {};
  // Services may listen elsewhere than before.
  bool may_move = false;
};

}  // namespace deployment
