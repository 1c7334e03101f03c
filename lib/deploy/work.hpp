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
  std::optional<Change> change = {};    // that the steps deploy
  UnitStates states_before = {};        // of the units that they restart
  std::set<std::string> reloaded = {};  // units that go on since before
  // Shows the commit that is laid out aside to commands; empty: none is.
  std::vector<Mount> stage = {};
  // Services may listen elsewhere than before.
  bool may_move = false;
  bool may_have_moved =
      false;  // that is seen when they do not listen as before
  // A person asked to leave a commit: whatever happens, it stays left.
  bool is_asked = false;
};

}  // namespace deployment
