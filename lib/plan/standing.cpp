#include "lib/plan/standing.hpp"

#include "lib/checkout/identifier.hpp"
#include "lib/environments/workspaces.hpp"
#include "lib/plan/homes.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// Finds the environment of a component that has none in its folder: where npm
// has that for a workspace it is in the root's. nullopt: there is no root.
std::optional<Component> home_in_root(Component component, const Store& store) {
  if (preset_of(component).reads != Preset::Reads::npm) {
    return std::nullopt;
  }
  const fs::path folder = component.directory.lexically_normal();
  for (fs::path above = folder; above.has_relative_path() && above != ".";) {
    above = above.parent_path();
    const fs::path named = above.empty() ? "." : above;
    const auto text =
        store.text_of(above / "package.json", longest_package_json);
    const auto has =
        text ? has_workspace(*text, folder.lexically_relative(named)) : false;
    if (has.value_or(true)) {
      component.directory = named;
      return has ? std::optional(component) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

Standing look_at_standing(const Config& config, const Record& record,
                          const Directory& checkout, const Store& store) {
  Standing standing;
  standing.is_another_clone = !record.checkout_id.empty() &&
                              !has_identifier(checkout, record.checkout_id);
  for (const Component& component : config.components) {
    if (is_environment_gone(component, record, store) ||
        !gone_outputs(component, record, store).empty()) {
      standing.gone.insert(component.name);
    }
  }
  return standing;
}

std::vector<std::string> gone_outputs(const Component& component,
                                      const Record& record,
                                      const Store& store) {
  const auto known = record.components.find(component.name);
  return known != record.components.end() && known->second.has_outputs
             ? store.lost_outputs(home_of(component, known->second))
             : std::vector<std::string>();
}

bool is_environment_gone(const Component& component, const Record& record,
                         const Store& store) {
  if (!record.deployed) {
    if (store.has(store.live(component))) {
      return !store.has_interpreter(component);
    }
    const auto home = home_in_root(component, store);
    return !home || !store.has(store.live(*home));
  }
  const auto known = record.components.find(component.name);
  if (known == record.components.end() || known->second.inputs.empty()) {
    return false;
  }
  if (!known->second.root.empty()) {
    const Component home = home_of(component, known->second);
    return !store.has_live_label(home) || !store.has_interpreter(home);
  }
  if (!store.has_interpreter(component)) {
    return true;
  }
  if (store.has_live_label(component)) {
    return false;
  }
  return !known->second.configured.empty() || !store.has(store.live(component));
}

}  // namespace deployment
