// Gathers the facts that a plan is made from.
#pragma once

#include "lib/plan/sources.hpp"

namespace deployment {

// Returns an observation of nothing but what is checked out.
Observation observation_at(const CommitId& commit);

// Gathers all facts; used when the heads alone do not show that nothing is to
// be done. Throws Error when git fails, or when config.verify_signatures
// refuses the tip.
Observation observe(const Config& config, const Record& record,
                    const Heads& heads, bool force, const Sources& sources);

}  // namespace deployment
