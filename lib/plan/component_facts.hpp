// Gathers the facts about single components.
#pragma once

#include "lib/plan/sources.hpp"

namespace deployment {

// Throws Obstacle for a component that was never deployed and has no folder,
// neither in `commit` nor in the checkout: in a configuration file that is a
// typing error.
void require_folder(const Component& component, const CommitId& commit,
                    const Record& record, const GitReader& objects,
                    const Store& store);

// Gathers what the target says of a component, and gives it the folder that
// links lead to.
ComponentFacts facts_of(Component& component, const CommitId& commit,
                        const Record& record, const Sources& sources);

// Looks at the environments of a component, `owners` being those of the target
// by place. Where it was in another place than the target has it, that one is
// left.
void look_at_component(const Config& config, const Component& component,
                       const CommitId& commit, const Record& record,
                       const Sources& sources,
                       const std::map<std::string, std::string>& owners,
                       ComponentFacts& facts);

}  // namespace deployment
