#include "lib/model/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "lib/base/error.hpp"
#include "lib/base/ini.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

// Thrown for a value that is not allowed; the caller adds source and key.
struct Refused {
  std::string allowed;
};

using Setter = std::function<void(Config&, const std::string&)>;
using ComponentSetter = std::function<void(Component&, const std::string&)>;

// True for a relative path that does not climb out of where it starts.
bool stays_inside(const std::filesystem::path& path) {
  const auto normal = path.lexically_normal();
  return !normal.empty() && !normal.is_absolute() && *normal.begin() != "..";
}

std::filesystem::path inside_checkout(const std::string& value) {
  const std::filesystem::path path = value;
  if (!stays_inside(path)) {
    throw Refused{"a path inside the checkout, relative to it"};
  }
  return path.lexically_normal();
}

// complete() checks that it stays inside the checkout, with the directory.
std::filesystem::path in_directory(const std::string& value) {
  const std::filesystem::path path = value;
  if (path.empty() || path.is_absolute()) {
    throw Refused{"a path relative to the component's directory"};
  }
  return path.lexically_normal();
}

std::filesystem::path absolute(const std::string& value) {
  if (value.empty()) {
    throw Refused{"a folder"};
  }
  std::filesystem::path path = std::filesystem::absolute(value);
  path = path.lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

std::chrono::seconds to_seconds(const std::string& value) {
  const std::optional<int> seconds = parse_number(value);
  if (!seconds || *seconds > 86400) {
    throw Refused{"a whole number of seconds, 0 to 86400"};
  }
  return std::chrono::seconds(*seconds);
}

std::chrono::seconds to_timeout(const std::string& value) {
  const std::chrono::seconds timeout = to_seconds(value);
  if (timeout == timeout.zero()) {
    throw Refused{"a whole number of seconds, 1 to 86400"};
  }
  return timeout;
}

template <typename Value>
Value one_of(const std::map<std::string, Value>& values,
             const std::string& value) {
  const auto found = values.find(value);
  if (found == values.end()) {
    std::vector<std::string> names;
    for (const auto& [name, unused] : values) {
      names.push_back(name);
    }
    throw Refused{fmt::format("{}", fmt::join(names, " or "))};
  }
  return found->second;
}

// Unit names of systemd.unit(5); never one that reads as an option.
std::string unit_name(const std::string& value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view(":_.\\@-").find(c) != std::string_view::npos;
  });
  if (!plain || value.starts_with('-') || value.size() > 255 ||
      !value.ends_with(".service")) {
    throw Refused{"the name of a systemd service, NAME.service"};
  }
  return value;
}

std::string branch_name(const std::string& value) {
  if (!is_branch_name(value)) {
    throw Refused{"a name that git accepts for a branch"};
  }
  return value;
}

std::string remote_name(const std::string& value) {
  if (!is_branch_name(value)) {
    throw Refused{"a name that git accepts for a remote"};
  }
  return value;
}

std::string user_name(const std::string& value) {
  if (value.empty()) {
    throw Refused{"the name of a user"};
  }
  return value;
}

std::string http_url(const std::string& value) {
  const bool printable = std::all_of(
      value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (!printable || !value.starts_with("http://") || value.size() < 8) {
    throw Refused{"an address http://HOST[:PORT]/PATH"};
  }
  return value;
}

const std::map<std::string, Setter>& setters() {
  static const std::map<std::string, Setter> table = {
      {"repo-dir",
       [](Config& c, const std::string& v) { c.repo_dir = absolute(v); }},
      {"remote",
       [](Config& c, const std::string& v) { c.remote = remote_name(v); }},
      {"branch",
       [](Config& c, const std::string& v) { c.branch = branch_name(v); }},
      {"state-dir",
       [](Config& c, const std::string& v) { c.state_dir = absolute(v); }},
      {"run-as",
       [](Config& c, const std::string& v) { c.run_as = user_name(v); }},
      {"build",
       [](Config& c, const std::string& v) {
         c.build = one_of<BuildMode>(
             {{"in-place", BuildMode::in_place}, {"staged", BuildMode::staged}},
             v);
       }},
      {"on-divergence",
       [](Config& c, const std::string& v) {
         c.on_divergence = one_of<OnDivergence>(
             {{"fail", OnDivergence::fail}, {"reset", OnDivergence::reset}}, v);
       }},
      {"verify-signatures",
       [](Config& c, const std::string& v) {
         c.verify_signatures =
             one_of<bool>({{"true", true}, {"false", false}}, v);
       }},
      {"git-timeout",
       [](Config& c, const std::string& v) { c.git_timeout = to_timeout(v); }},
      {"install-timeout",
       [](Config& c, const std::string& v) {
         c.install_timeout = to_timeout(v);
       }},
      {"systemctl-timeout",
       [](Config& c, const std::string& v) {
         c.systemctl_timeout = to_timeout(v);
       }},
      {"settle",
       [](Config& c, const std::string& v) { c.settle = to_seconds(v); }},
      {"health-timeout",
       [](Config& c, const std::string& v) {
         c.health_timeout = to_timeout(v);
       }},
  };
  return table;
}

const std::map<std::string, ComponentSetter>& component_setters() {
  static const std::map<std::string, ComponentSetter> table = {
      {"type",
       [](Component& c, const std::string& v) {
         c.type = one_of<Component::Type>({{"npm", Component::Type::npm},
                                           {"python", Component::Type::python}},
                                          v);
       }},
      {"directory",
       [](Component& c, const std::string& v) {
         c.directory = inside_checkout(v);
       }},
      {"manifest",
       [](Component& c, const std::string& v) {
         c.manifests.push_back(in_directory(v));
       }},
      {"service",
       [](Component& c, const std::string& v) { c.service = unit_name(v); }},
      {"health-check",
       [](Component& c, const std::string& v) {
         c.health_check = http_url(v);
       }},
  };
  return table;
}

template <typename Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : table) {
    names.push_back(name);
  }
  return names;
}

// Sets one key of `target` by its table, and turns every refusal into one
// line: source, key, value, what is allowed.
template <typename Target, typename Table>
void set_by(const Table& table, Target& target, const std::string& key,
            const std::string& value, const std::string& source) {
  const auto setter = table.find(key);
  if (setter == table.end()) {
    throw UsageError(fmt::format("{}: unknown key '{}'; allowed: {}", source,
                                 escaped(key),
                                 fmt::join(names_of(table), ", ")));
  }
  const bool is_quoted = value.size() >= 2 && value.front() == value.back() &&
                         (value.front() == '"' || value.front() == '\'');
  if (is_quoted) {
    throw UsageError(
        fmt::format("{}: the value of {} is in quotes: {}; write "
                    "it without them",
                    source, key, escaped(value)));
  }
  try {
    setter->second(target, value);
  } catch (const Refused& refused) {
    const std::string trouble =
        value.empty()
            ? fmt::format("{} has no value", key)
            : fmt::format("{} = '{}' is not allowed", key, escaped(value));
    throw UsageError(
        fmt::format("{}: {}; it takes {}", source, trouble, refused.allowed));
  }
}

void require_component_name(const std::string& name,
                            const std::string& source) {
  if (!is_plain_name(name)) {
    throw UsageError(fmt::format(
        "{}: component name '{}' is not allowed; it takes letters, digits, "
        "- and _",
        source, escaped(name)));
  }
}

// Fills in what follows from the type, and checks that nothing is missing.
void complete(Component& component, const std::set<std::string>& keys,
              const std::string& source) {
  for (const char* key : {"type", "service"}) {
    if (!keys.contains(key)) {
      throw UsageError(fmt::format("{}: component {} has no {}; it takes {}",
                                   source, component.name, key,
                                   std::string_view(key) == "type"
                                       ? "npm or python"
                                       : "the name of a systemd service"));
    }
  }
  if (!keys.contains("directory")) {
    component.directory = component.name;
  }
  if (component.manifests.empty()) {
    component.manifests = {component.type == Component::Type::npm
                               ? "package.json"
                               : "requirements.txt"};
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

}  // namespace

std::vector<std::string> setting_names() {
  return names_of(setters());
}

void set(Config& config, const std::string& key, const std::string& value,
         const std::string& source) {
  set_by(setters(), config, key, value, source);
}

void apply_config_file(Config& config, std::string_view text,
                       const std::string& source) {
  std::vector<Component> components;
  std::map<std::string, std::set<std::string>> keys_of;
  for (const IniEntry& entry : parse_ini(text, source)) {
    const std::string place =
        entry.section.empty()
            ? source
            : fmt::format("{}: [{}]", source, escaped(entry.section));
    const bool repeated = !keys_of[entry.section].insert(entry.key).second;
    if (repeated && !(entry.key == "manifest" && !entry.section.empty())) {
      throw UsageError(
          fmt::format("{}: {} is given twice", place, escaped(entry.key)));
    }
    if (entry.section.empty()) {
      set(config, entry.key, entry.value, place);
      continue;
    }
    auto component = std::find_if(
        components.begin(), components.end(),
        [&](const Component& c) { return c.name == entry.section; });
    if (component == components.end()) {
      require_component_name(entry.section, source);
      component = components.insert(component, {.name = entry.section});
    }
    set_by(component_setters(), *component, entry.key, entry.value, place);
  }
  for (Component& component : components) {
    complete(component, keys_of[component.name], source);
  }
  if (!components.empty()) {
    config.components = std::move(components);
  }
}

}  // namespace deployment
