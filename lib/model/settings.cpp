#include "lib/model/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "lib/base/error.hpp"
#include "lib/base/ini.hpp"
#include "lib/base/text.hpp"
#include "lib/model/completion.hpp"
#include "lib/model/setting_values.hpp"

namespace deployment {
namespace {

// Sets one key of a target. Throws Refused.
template <typename Target>
using Setter = std::function<void(Target&, const std::string&)>;

template <typename Value>
std::vector<std::string> names_of(const std::map<std::string, Value>& table) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : table) {
    names.push_back(name);
  }
  return names;
}

void add_variable_names(Config& config, const std::string& value) {
  std::istringstream words(value);
  const std::vector<std::string> names(
      std::istream_iterator<std::string>(words), {});
  if (names.empty() || !std::ranges::all_of(names, is_variable_name)) {
    throw Refused{"names of variables, with blanks between them"};
  }
  config.pass_environment.insert(config.pass_environment.end(), names.begin(),
                                 names.end());
}

void add_copied(Config& config, const std::string& value) {
  const auto words = split_words(value);
  const auto is_allowed = [](const std::string& pattern) {
    return stays_inside(pattern) &&
           std::filesystem::path(pattern).lexically_normal() != ".";
  };
  if (!words || words->empty() || !std::ranges::all_of(*words, is_allowed)) {
    throw Refused{
        "names of files beside manifests, or paths inside the checkout, with "
        "blanks between them; * stands for any part of a name"};
  }
  config.copy.insert(config.copy.end(), words->begin(), words->end());
}

void add_paths(Component& component, const std::string& value) {
  const auto words = split_words(value);
  if (!words || words->empty() || !std::ranges::all_of(*words, stays_inside)) {
    throw Refused{
        "paths inside the checkout, relative to it, with blanks between them"};
  }
  for (const std::string& path : *words) {
    component.paths.push_back(inside_checkout(path).generic_string());
  }
}

void add_service(Component& component, const std::string& value) {
  if (!is_unit_name(value)) {
    throw Refused{"the name of a systemd service, NAME.service"};
  }
  if (std::ranges::count(component.services, value) != 0) {
    throw Refused{"each service once"};
  }
  component.services.push_back(value);
}

// Adds a command to `member`.
Setter<Component> add_to(std::vector<CommandWords> Component::*member) {
  return [=](Component& component, const std::string& value) {
    (component.*member).push_back(to_command_words(value));
  };
}

// Sets `member` to what `parse` makes of the value.
template <typename Target, typename Member, typename Parse>
Setter<Target> to(Member Target::*member, const Parse& parse) {
  return [=](Target& target, const std::string& value) {
    target.*member = parse(value);
  };
}

// Sets `member` to a value that `accepts` takes.
template <typename Target, typename Member>
Setter<Target> to(Member Target::*member, bool accepts(std::string_view),
                  const std::string& allowed) {
  return to(member, [=](const std::string& value) {
    return accepts(value) ? value : throw Refused{allowed};
  });
}

// Sets `member` to the one of `values` that has the name given.
template <typename Target, typename Member>
Setter<Target> to_one_of(Member Target::*member,
                         const std::map<std::string, Member>& values) {
  // The table of setters is copied as it is made.
  const auto shared = std::make_shared<std::map<std::string, Member>>(values);
  return to(member, [=](const std::string& name) {
    const auto found = shared->find(name);
    if (found == shared->end()) {
      throw Refused{fmt::format("{}", fmt::join(names_of(*shared), " or "))};
    }
    return found->second;
  });
}

const std::map<std::string, Setter<Config>>& setters() {
  static const std::map<std::string, bool> yes_or_no = {{"true", true},
                                                        {"false", false}};
  static const std::map<std::string, Setter<Config>> table = {
      {"repo-dir", to(&Config::repo_dir, absolute)},
      {"remote", to(&Config::remote, is_branch_name,
                    "a name that git accepts for a remote")},
      {"branch", to(&Config::branch, is_branch_name,
                    "a name that git accepts for a branch")},
      {"state-dir", to(&Config::state_dir, absolute)},
      {"metrics", to(&Config::metrics, metrics_file)},
      {"run-as", to(&Config::run_as, is_not_empty, "the name of a user")},
      {"pass-environment", add_variable_names},
      {"new-privileges", to_one_of(&Config::new_privileges, yes_or_no)},
      {"build", to_one_of(&Config::build, {{"in-place", BuildMode::in_place},
                                           {"staged", BuildMode::staged}})},
      {"copy", add_copied},
      {"on-divergence",
       to_one_of(&Config::on_divergence, {{"fail", OnDivergence::fail},
                                          {"reset", OnDivergence::reset}})},
      {"submodules",
       to_one_of(&Config::submodules, {{"refuse", Submodules::refuse},
                                       {"update", Submodules::update}})},
      {"verify-signatures", to_one_of(&Config::verify_signatures, yes_or_no)},
      {"gate", to(&Config::gate, to_command_words)},
      {"notify", to(&Config::notify, to_command_words)},
      {"notify-away", to(&Config::notify_away, to_seconds)},
      {"git-timeout", to(&Config::git_timeout, to_timeout)},
      {"install-timeout", to(&Config::install_timeout, to_timeout)},
      {"systemctl-timeout", to(&Config::systemctl_timeout, to_timeout)},
      {"settle", to(&Config::settle, to_seconds)},
      {"health-timeout", to(&Config::health_timeout, to_timeout)}};
  return table;
}

const std::map<std::string, Setter<Component>>& component_setters() {
  static const std::map<std::string, Setter<Component>> table = {
      {"type",
       to_one_of(&Component::type, {{"generic", Component::Type::generic},
                                    {"npm", Component::Type::npm},
                                    {"python", Component::Type::python}})},
      {"directory", to(&Component::directory, inside_checkout)},
      {"manifest",
       [](Component& component, const std::string& value) {
         component.manifests.push_back(in_directory(value));
       }},
      {"environment", to(&Component::environment, to_environment)},
      {"install", add_to(&Component::installs)},
      {"service", add_service},
      {"action",
       to_one_of(&Component::action, {{"restart", Component::Action::restart},
                                      {"reload", Component::Action::reload}})},
      {"paths", add_paths},
      {"health-check", to(&Component::health_check, is_http_url,
                          "an address http[s]://HOST[:PORT]/PATH")},
      {"health-status", to(&Component::health_status, to_status_ranges)},
      {"health-command",
       to(&Component::health_command, is_not_empty, "a command")},
      {"health-timeout", to(&Component::health_timeout, to_timeout)},
      {"build", add_to(&Component::builds)},
      {"check", add_to(&Component::checks)},
      {"release", add_to(&Component::releases)}};
  return table;
}

// True for a key that may be given several times.
bool makes_a_list(const IniEntry& entry) {
  return entry.section.empty()
             ? entry.key == "pass-environment" || entry.key == "copy"
             : entry.key == "manifest" || entry.key == "install" ||
                   entry.key == "paths" || entry.key == "service" ||
                   entry.key == "build" || entry.key == "check" ||
                   entry.key == "release";
}

// True when all of a value stands in one pair of quotes.
bool is_quoted(const std::string& value) {
  return value.size() >= 2 &&
         value.find(value.front(), 1) == value.size() - 1 &&
         (value.front() == '"' || value.front() == '\'');
}

// Sets one key of `target` by its table, and turns every refusal into one
// line: source, key, value, what is allowed.
template <typename Target>
void set_by(const std::map<std::string, Setter<Target>>& setters,
            Target& target, const std::string& key, const std::string& value,
            const std::string& source) {
  const auto refuse = [&](const std::string& why) -> UsageError {
    return UsageError(fmt::format("{}: {}", source, why));
  };
  const auto setter = setters.find(key);
  if (setter == setters.end()) {
    throw refuse(fmt::format("unknown key '{}'; allowed: {}", escaped(key),
                             fmt::join(names_of(setters), ", ")));
  }
  if (is_quoted(value)) {
    throw refuse(
        fmt::format("the value of {} is in quotes: {}; write it without them",
                    key, escaped(value)));
  }
  try {
    setter->second(target, value);
  } catch (const Refused& refused) {
    const std::string trouble =
        value.empty() ? "has no value"
                      : fmt::format("= '{}' is not allowed", escaped(value));
    throw refuse(
        fmt::format("{} {}; it takes {}", key, trouble, refused.allowed));
  }
}

// Finds the component that is called `name`, or adds it.
Component& component_of(std::vector<Component>& components,
                        const std::string& name, const std::string& source) {
  const auto found = std::ranges::find(components, name, &Component::name);
  if (found != components.end()) {
    return *found;
  }
  if (!is_plain_name(name)) {
    throw UsageError(fmt::format(
        "{}: component name '{}' is not allowed; it takes letters, digits, "
        "- and _",
        source, escaped(name)));
  }
  return components.emplace_back(Component{.name = name});
}

}  // namespace

bool is_setting(const std::string& name) {
  return setters().contains(name);
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
    if (repeated && !makes_a_list(entry)) {
      throw UsageError(
          fmt::format("{}: {} is given twice", place, escaped(entry.key)));
    }
    if (entry.section.empty()) {
      set(config, entry.key, entry.value, place);
    } else {
      set_by(component_setters(),
             component_of(components, entry.section, source), entry.key,
             entry.value, place);
    }
  }
  for (Component& component : components) {
    complete(component, keys_of[component.name], source);
  }
  require_own_environments(components, source);
  if (!components.empty()) {
    config.components = std::move(components);
    config.names_components = true;
  }
}

}  // namespace deployment
