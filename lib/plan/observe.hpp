// Looks at everything that a plan is made from.
#pragma once

#include <functional>
#include <string>

#include "lib/checkout/git.hpp"
#include "lib/environments/store.hpp"
#include "lib/model/config.hpp"
#include "lib/model/record.hpp"
#include "lib/plan/facts.hpp"

namespace deployment {

// Where observe() looks. `git` sees the repository; `objects` sees the tip too
// when a dry run has fetched it aside, and is else the same.
struct Sources {
  const GitReader& git;
  const GitReader& objects;
  const Store& store;
  std::function<std::string()> python_version;
  std::function<std::string()> in_place_reason;
};

// Looks closer.
Observation observe(const Config& config, const Record& record,
                    const Heads& heads, bool force, const Sources& sources);

}  // namespace deployment
