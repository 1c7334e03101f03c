#include "lib/plan/homes.hpp"

#include <algorithm>

#include "lib/base/sha256.hpp"

namespace deployment {

Component home_of(Component component, const ComponentFacts& facts) {
  component.directory = facts.root.value_or(component.directory);
  if (!facts.owner.empty()) {
    component.name = facts.owner;
  }
  return component;
}

Component home_of(Component component, const ComponentRecord& known) {
  if (!known.root.empty()) {
    component.directory = known.root;
  }
  return component;
}

Component home_of(const Component& component, const Record& record) {
  const auto known = record.components.find(component.name);
  return known == record.components.end() ? component
                                          : home_of(component, known->second);
}

std::string owner_of(const Component& home,
                     const std::vector<Component>& components,
                     const Record& record) {
  const auto is_there = [&](const Component& component) {
    return record.components.contains(component.name) &&
           place_of(home_of(component, record)) == place_of(home);
  };
  const auto owner = std::ranges::find_if(components, is_there);
  return owner == components.end() ? home.name : owner->name;
}

std::string place_of(const Component& home) {
  return (home.directory / environment_of(home))
      .lexically_normal()
      .generic_string();
}

std::map<std::string, std::string> share_environments(
    const std::vector<Component>& components, Target& target) {
  std::map<std::string, std::string> owners;
  for (const Component& component : components) {
    ComponentFacts& facts = target.components[component.name];
    if (facts.manifests.empty()) {
      continue;
    }
    const auto [owner, is_first] =
        owners.try_emplace(place_of(home_of(component, facts)), component.name);
    if (!is_first) {
      facts.owner = owner->second;
      Inputs& shared = target.components[facts.owner].inputs;
      shared = of_component(facts.owner, shared);
      shared.merge(of_component(component.name, facts.inputs));
    } else if (!component.installs.empty()) {
      facts.inputs["install commands"] = sha256(describe(component.installs));
    }
  }
  for (auto& [name, facts] : target.components) {
    if (!facts.owner.empty()) {
      facts.inputs = target.components[facts.owner].inputs;
    }
  }
  return owners;
}

}  // namespace deployment
