// Finds what a commit says of the environment of a component.
#pragma once

#include "lib/checkout/git_reader.hpp"
#include "lib/model/config.hpp"
#include "lib/plan/facts.hpp"

namespace deployment {

// A path of the checkout as git spells it.
std::string in_checkout(const std::filesystem::path& path);

// The manifests of a component, as paths of the checkout.
Paths manifests_of(const Component& component);

// Gathers the manifests of a component at `commit`, and the files that its
// environment there is made from; without a manifest there are none. When its
// folder is a link, `component` gets the real one. Throws Error when that leads
// out of the checkout, and when git fails.
ComponentFacts inputs_behind_links(Component& component, const CommitId& commit,
                                   const GitReader& git);

}  // namespace deployment
