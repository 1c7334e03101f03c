// Says what stops a run before anything moves. Each function throws
// Obstacle, or another Error, when something does.
#pragma once

#include "lib/plan/steps.hpp"

namespace deployment {

// A lock may be removed when no git holds it and it is known to be a leftover.
RemoveLock removal_of(const GitLock& lock, const Config& config,
                      const Record& record, const Observation& seen);

// Local changes in the way may be given up when this program or npm made them.
Restore restoration_of(const Config& config, const Observation& seen);

// Names both commits of a branch that diverged or was moved back.
[[noreturn]] void refuse_divergence(const Config& config,
                                    const Observation& seen);

// Refuses an environment that is a link: what is built aside takes the place of
// a folder, and a check looks into one.
void require_no_link(const Component& component, const ComponentFacts& facts,
                     const Config& config);

// On the way back from what was changed nothing stops a run.
void require_submodules_known(const Config& config, const Record& record,
                              const Target& target);

}  // namespace deployment
