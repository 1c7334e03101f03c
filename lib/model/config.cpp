#include "lib/model/config.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace {

std::filesystem::path state_home() {
  constexpr const char* name = "deployment-update";
  if (geteuid() == 0) {
    return state_dir_of_root;
  }
  const char* state_home = std::getenv("XDG_STATE_HOME");
  if (state_home != nullptr && state_home[0] == '/') {
    return std::filesystem::path(state_home) / name;
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr) {
    throw UsageError(
        "neither XDG_STATE_HOME nor HOME is set; name the state directory "
        "with --state-dir");
  }
  return std::filesystem::path(home) / ".local/state" / name;
}

std::filesystem::path folder_of(const std::optional<std::string>& instance,
                                const std::filesystem::path& state_home) {
  return instance ? state_home / *instance : state_home;
}

}  // namespace

std::vector<Component> Config::default_components() {
  std::vector<Component> components;
  components.reserve(2);
  components.push_back({.name = "frontend",
                        .type = Component::Type::npm,
                        .directory = "frontend",
                        .manifests = {"package.json"},
                        .services = {"frontend-deployment.service"}});
  components.push_back({.name = "backend",
                        .type = Component::Type::python,
                        .directory = "backend",
                        .manifests = {"requirements.txt"},
                        .services = {"backend-deployment.service"}});
  return components;
}

std::filesystem::path default_state_dir(
    const std::optional<std::string>& instance) {
  const char* given = std::getenv("STATE_DIRECTORY");
  if (!instance && given != nullptr && given[0] != '\0') {
    return std::string(given).substr(0, std::string_view(given).find(':'));
  }
  return folder_of(instance, state_home());
}

std::filesystem::path default_state_dir_to_look_at(
    const std::optional<std::string>& instance) {
  const auto has_record = [](const std::filesystem::path& folder) {
    std::error_code error;
    return std::filesystem::exists(folder / record_name, error);
  };
  const std::filesystem::path own = default_state_dir(instance);
  const std::filesystem::path of_root = folder_of(instance, state_dir_of_root);
  return !has_record(own) && has_record(of_root) ? of_root : own;
}

bool is_instance_name(std::string_view name) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
  };
  const bool is_of_record = name.substr(0, name.find('.')) == record_name;
  return !name.empty() && name.size() <= 200 && !is_of_record &&
         is_alphanumeric(name.front()) &&
         std::ranges::all_of(name, [&](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

std::string command_with(const Config& config, std::string_view options) {
  return fmt::format("deployment-update{} {}",
                     config.instance ? " --instance " + *config.instance : "",
                     options);
}

bool is_branch_name(std::string_view name) {
  if (name.empty() || name == "@" || name == "HEAD" || name.front() == '-' ||
      name.back() == '/' || name.back() == '.' ||
      contains_any(name, {"..", "@{", "//"})) {
    return false;
  }
  for (const std::string_view part : split(name, '/')) {
    if (part.empty() || part.front() == '.' || part.ends_with(".lock")) {
      return false;
    }
  }
  return std::ranges::none_of(name, [](unsigned char c) {
    return c <= 0x20 || c == 0x7F || std::strchr("~^:?*[\\", c) != nullptr;
  });
}

}  // namespace deployment
