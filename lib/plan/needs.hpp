// Decides what each component needs to run the target commit.
#pragma once

#include "lib/plan/steps.hpp"

namespace deployment {

// The needs of the components, in their order.
struct Needs {
  std::vector<Install> installs;
  std::vector<PutAside> put_asides;
  std::vector<Check> checks;
  std::vector<Release> releases;
  std::vector<Restart> restarts;
  std::vector<Component> verifications;
  std::vector<Skip> skips;
};

// With `moves` the work tree comes from another commit, which services have had
// under them.
Needs needs_of(const Config& config, const Record& record, const Target& target,
               bool moves, bool force);

// The component as its folder is called where links are followed.
Component real_component(const Component& component,
                         const ComponentFacts& facts);

}  // namespace deployment
