#include "lib/model/completion.hpp"

#include <fmt/format.h>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/model/setting_values.hpp"

namespace deployment {
namespace {

// Takes the manifest and the environment from the type, which may not have
// them.
void complete_from_type(Component& component, const std::string& source) {
  const Preset& preset = preset_of(component);
  const auto require = [&](bool is_given, const char* key) {
    if (!is_given) {
      throw UsageError(
          fmt::format("{}: component {} has no {}, which type = {} needs",
                      source, component.name, key, preset.name));
    }
  };
  if (component.manifests.empty() && !preset.manifest.empty()) {
    component.manifests = {preset.manifest};
  }
  require(!component.manifests.empty(), "manifest");
  require(!component.installs.empty() || !preset.installs.empty(), "install");
  require(!environment_of(component).empty(), "environment");
  if (!component.environment.empty() && !preset.environment.empty()) {
    throw UsageError(fmt::format(
        "{}: component {} has an environment, which is {} with type = {}; "
        "another one takes type = generic",
        source, component.name, preset.environment, preset.name));
  }
}

}  // namespace

void complete(Component& component, const std::set<std::string>& keys,
              const std::string& source) {
  if (!keys.contains("type")) {
    throw UsageError(fmt::format(
        "{}: component {} has no type; it takes generic or npm or python",
        source, component.name));
  }
  if (!keys.contains("directory")) {
    component.directory = component.name;
  }
  complete_from_type(component, source);
  if (keys.contains("health-status") && !component.health_check) {
    throw UsageError(fmt::format(
        "{}: component {} has a health-status and no health-check, whose "
        "answer it is about",
        source, component.name));
  }
  for (const char* key :
       {"action", "health-check", "health-command", "health-timeout"}) {
    if (component.services.empty() && keys.contains(key)) {
      throw UsageError(
          fmt::format("{}: component {} has {} and no service, which it is "
                      "about",
                      source, component.name, key));
    }
  }
  for (const auto& manifest : component.manifests) {
    if (!stays_inside(component.directory / manifest)) {
      throw UsageError(fmt::format(
          "{}: [{}]: manifest = '{}' is not allowed; it takes a path inside "
          "the checkout",
          source, component.name, escaped(manifest.string())));
    }
  }
}

void require_own_environments(const std::vector<Component>& components,
                              const std::string& source) {
  // Below a folder come the paths in it.
  std::multimap<std::string, const Component*> by_folder;
  for (const Component& component : components) {
    const auto folder = component.directory / environment_of(component) / "";
    by_folder.emplace(folder.lexically_normal(), &component);
  }
  const std::string* before = nullptr;
  const Component* owner = nullptr;
  for (const auto& [folder, component] : by_folder) {
    if (before != nullptr && folder == *before) {
      const auto shared = std::filesystem::path(folder).parent_path();
      const auto around = shared.parent_path();
      throw UsageError(fmt::format(
          "{}: [{}] and [{}] have the same {} in {}; one component may have "
          "several services: repeat service =",
          source, owner->name, component->name,
          escaped(shared.filename().string()),
          around.empty() ? "." : escaped(around.string())));
    }
    if (before != nullptr && folder.starts_with(*before)) {
      throw UsageError(fmt::format(
          "{}: the environment {} of [{}] is in {}, that of [{}]", source,
          escaped(folder), component->name, escaped(*before), owner->name));
    }
    before = &folder;
    owner = component;
  }
}

}  // namespace deployment
