// The sources of the facts that a plan is made from.
#pragma once

#include "lib/checkout/git.hpp"
#include "lib/environments/store.hpp"
#include "lib/plan/facts.hpp"

namespace deployment {

// `git` sees the repository; `objects` also sees the tip when a dry run has
// fetched it aside, and is otherwise the same.
struct Sources {
  const GitReader& git;
  const GitReader& objects;
  const Store& store;
  // Asks for the version of the runtime of a preset.
  std::function<std::string(std::string_view)> version_of;
  std::function<std::optional<std::string>()> in_place_reason;
};

}  // namespace deployment
