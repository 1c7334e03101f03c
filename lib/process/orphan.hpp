// What outlives a run that was killed: its commands die with it, what those
// had started does not (prctl(2), PR_SET_PDEATHSIG). Under systemd the rest of
// the unit's processes is ended with the main one; a run by hand has nobody
// who does that.
#pragma once

#include <filesystem>

#include "lib/process/command.hpp"

namespace deployment {

// `variables`, with a mark on what a run in `checkout` starts, and on all
// that comes of it.
Variables marked(Variables variables, const std::filesystem::path& checkout);

// Kills what earlier runs in `checkout` left behind, as far as this process
// may, and returns how many that were. Only for the holder of the checkout's
// lock: else they may be another run's. Throws Error when one cannot be ended
// within 10 s.
int end_orphans(const std::filesystem::path& checkout);

}  // namespace deployment
