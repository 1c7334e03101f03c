// Ends the processes that outlive a killed run: its commands die with it, but
// processes that those had started do not (prctl(2), PR_SET_PDEATHSIG). systemd
// ends the rest of a unit's processes with the main one; nobody does that for a
// run by hand.
#pragma once

#include <chrono>

#include "lib/process/command.hpp"

namespace deployment {

// Returns `variables` with one more, which marks all processes that a run in
// `checkout` starts, and their children.
Variables marked(Variables variables, const std::filesystem::path& checkout);

// Kills the processes that earlier runs in `checkout` left behind, of the user
// that this process acts as, and returns their number. The caller holds the
// checkout's lock; otherwise they may be another run's. Throws Error when some
// do not end, or there are always more, for `patience`, and Interrupted.
int end_orphans(const std::filesystem::path& checkout,
                std::chrono::milliseconds patience = std::chrono::seconds(30));

}  // namespace deployment
