// Gathers the facts that a plan is made from.
#pragma once

#include "lib/checkout/git.hpp"
#include "lib/environments/store.hpp"
#include "lib/plan/facts.hpp"

namespace deployment {

// The sources of the facts. `git` sees the repository; `objects` also
// sees the tip when a dry run has fetched it aside, and is otherwise the same.
struct Sources {
  const GitReader& git;
  const GitReader& objects;
  const Store& store;
  std::function<std::string()> python_version;
  std::function<std::string()> node_version;
  std::function<std::optional<std::string>()> in_place_reason;
};

// Gathers all facts; used when the heads alone do not show that nothing is to
// be done. Throws Error when git fails, or when config.verify_signatures
// refuses the tip.
Observation observe(const Config& config, const Record& record,
                    const Heads& heads, bool force, const Sources& sources);

}  // namespace deployment
