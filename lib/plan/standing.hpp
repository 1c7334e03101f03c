// Looks whether what the record speaks of is there.
#pragma once

#include "lib/environments/store.hpp"
#include "lib/plan/facts.hpp"

namespace deployment {

// Takes one system call for the clone and one for each environment that is
// there.
Standing look_at_standing(const Config& config, const Record& record,
                          const Directory& checkout, const Store& store);

// Returns true when the environment of `component` that the record speaks of is
// not the one in use. Of one that was deployed by a version that labelled none,
// and of all when nothing was deployed yet, any is believed.
bool is_environment_gone(const Component& component, const Record& record,
                         const Store& store);

// Lists the outputs in use that the record speaks of and that are gone.
std::vector<std::string> gone_outputs(const Component& component,
                                      const Record& record, const Store& store);

}  // namespace deployment
