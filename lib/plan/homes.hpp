// Tells where the environment of a component is: in its own folder or, when npm
// has it as a workspace, in that of its root, with others that are in it.
#pragma once

#include "lib/plan/facts.hpp"

namespace deployment {

// Returns `component` as the environment has it: with its folder, and the name
// of the component that builds and keeps it.
Component home_of(Component component, const ComponentFacts& facts);

// The same as the record has it, but for the name.
Component home_of(Component component, const ComponentRecord& known);
Component home_of(const Component& component, const Record& record);

// Finds the component that builds and keeps what is at `home`, by the record:
// the first of `components` that has its environment there.
std::string owner_of(const Component& home,
                     const std::vector<Component>& components,
                     const Record& record);

// Returns the path of an environment in the checkout.
std::string place_of(const Component& home);

// Gives all components whose environments are in one place what each of them is
// made from, and the first of them for its owner. Returns the owners by place.
std::map<std::string, std::string> share_environments(
    const std::vector<Component>& components, Target& target);

}  // namespace deployment
