#include "lib/services/systemd.hpp"

#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

using Properties = std::map<std::string_view, std::string_view>;

Properties properties_of(std::string_view text) {
  Properties properties;
  while (!text.empty()) {
    const std::string_view line = take_part(text, '\n');
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos) {
      properties[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }
  return properties;
}

// Reads "EnvironmentFiles=PATH (ignore_errors=no)", one line for each file.
std::vector<std::string> environment_files(std::string_view text) {
  constexpr std::string_view begin = "EnvironmentFiles=";
  std::vector<std::string> files;
  for (std::string_view line : split(text, '\n')) {
    if (line.starts_with(begin)) {
      line.remove_prefix(begin.size());
      const std::string_view file = line.substr(0, line.rfind(" ("));
      if (!file.empty()) {
        files.emplace_back(file);
      }
    }
  }
  return files;
}

constexpr const char* since_key = "ActiveEnterTimestampMonotonic";

// Reads a number of microseconds; what is none is zero, as systemd says never.
std::chrono::seconds seconds_of(std::string_view microseconds) {
  constexpr std::size_t places = 6;
  const std::size_t digits = microseconds.size();
  return std::chrono::seconds(
      digits <= places
          ? 0
          : parse_number(microseconds.substr(0, digits - places)).value_or(0));
}

}  // namespace

std::optional<Time> start_of(const UnitState& unit) {
  if (unit.active_state != "active") {
    return std::nullopt;
  }
  const auto age =
      std::chrono::steady_clock::now().time_since_epoch() - unit.active_since;
  return now() - std::chrono::floor<std::chrono::seconds>(age) + 2s;
}

bool files_changed_since(const UnitState& unit, Time time) {
  return std::ranges::any_of(unit.files, [&](const std::string& file) {
    struct stat status {};
    return stat(file.c_str(), &status) == 0 &&
           status.st_ctim.tv_sec >= time.time_since_epoch().count();
  });
}

UnitState parse_unit_state(std::string_view text, const std::string& unit) {
  const Properties properties = properties_of(text);
  const auto require = [&](bool has, const char* key) {
    if (!has) {
      throw Error(
          fmt::format("systemctl show {} printed no valid {}", unit, key));
    }
  };
  const auto text_of = [&](const char* key) {
    require(properties.contains(key), key);
    return std::string(properties.at(key));
  };
  const auto number_of = [&](const char* key) {
    const auto number = parse_number(text_of(key));
    require(number.has_value(), key);
    return *number;
  };
  const auto text_or_empty = [&](const char* key) {
    const auto found = properties.find(key);
    return found == properties.end() ? std::string_view() : found->second;
  };
  const auto words_of = [&](const char* key, auto& words) {
    for (const std::string_view word : split(text_or_empty(key), ' ')) {
      if (!word.empty()) {
        words.emplace_back(word);
      }
    }
  };
  std::vector<std::string> files = environment_files(text);
  words_of("FragmentPath", files);
  words_of("DropInPaths", files);
  std::vector<std::string> triggered_by;
  words_of("TriggeredBy", triggered_by);
  return {.active_state = text_of("ActiveState"),
          .sub_state = text_of("SubState"),
          .result = text_of("Result"),
          .invocation_id = text_of("InvocationID"),
          .main_pid = number_of("MainPID"),
          .restarts = number_of("NRestarts"),
          .load_state = std::string(text_or_empty("LoadState")),
          .control_group = std::string(text_or_empty("ControlGroup")),
          .can_reload = text_or_empty("CanReload") != "no",
          .active_since = seconds_of(text_or_empty(since_key)),
          .files = files,
          .triggered_by = triggered_by};
}

Endpoints parse_listen(std::string_view text) {
  constexpr std::string_view begin = "Listen=";
  constexpr std::string_view end = " (Stream)";
  Endpoints endpoints;
  for (std::string_view line : split(text, '\n')) {
    if (line.starts_with(begin) && line.ends_with(end)) {
      line.remove_suffix(end.size());
      if (const auto endpoint = parse_endpoint(line.substr(begin.size()))) {
        endpoints.push_back(*endpoint);
      }
    }
  }
  return endpoints;
}

std::string how_to_examine(const std::string& unit) {
  return fmt::format("look at: systemctl status {0}; journalctl -u {0}", unit);
}

Systemd::Systemd(CommandRunner& runner, Context context)
    : runner_(runner), context_(std::move(context)) {}

Command Systemd::command(std::string purpose, Words arguments) const {
  return {.purpose = std::move(purpose),
          .program = "systemctl",
          .arguments = std::move(arguments),
          .context = context_};
}

void Systemd::restart(const std::string& unit, const UnitState& before) {
  // A restart that meets one of systemd's own is merged with it, and counts as
  // an automatic one (NRestarts): a crash loop has to end first.
  if (before.active_state == "activating" || before.restarts > 0) {
    runner_.run(command(fmt::format("stopping {}", unit), {"stop", unit}));
  }
  // A start limit that was hit would refuse the very restart that mends the
  // unit. It is no failure when the unit is not loaded.
  runner_.run(command(fmt::format("clearing failures of {}", unit),
                      {"reset-failed", unit}));
  const Command restart =
      command(fmt::format("restarting {}", unit), {"restart", unit});
  const CommandResult result = runner_.run(restart);
  if (result.status.success()) {
    return;
  }
  const CommandError error(restart, result, how_to_examine(unit));
  // systemctl(1) exits with 1 for a service that failed, and for a systemd that
  // does not answer.
  if (!result.status.timed_out && was_started(unit, before)) {
    throw ServiceDown(error);
  }
  throw error;
}

void Systemd::start(const std::string& unit) {
  runner_.run_checked(
      command(fmt::format("starting {}", unit), {"start", "--no-block", unit}));
}

void Systemd::reload(const std::string& unit) {
  const Command reload =
      command(fmt::format("reloading {}", unit), {"reload", unit});
  const CommandResult result = runner_.run(reload);
  if (result.status.success()) {
    return;
  }
  const CommandError error(reload, result, how_to_examine(unit));
  if (result_of_reload(unit) != "success") {
    throw ServiceDown(error);
  }
  throw error;  // it has none, or systemd does not answer
}

std::string Systemd::result_of_reload(const std::string& unit) const {
  const CommandResult result =
      runner_.run(command(fmt::format("asking how {} was reloaded", unit),
                          {"show", "--property=ReloadResult", unit}));
  const Properties properties = properties_of(result.out);
  const auto found = properties.find("ReloadResult");
  return found == properties.end() ? "success" : std::string(found->second);
}

bool Systemd::was_started(const std::string& unit,
                          const UnitState& before) const {
  try {
    const std::string invocation = state_of(unit).invocation_id;
    return !invocation.empty() && invocation != before.invocation_id;
  } catch (const Error&) {  // the failure of the restart says more
    return false;
  }
}

User Systemd::user_of(const std::string& unit) const {
  const CommandResult result = runner_.run_checked(
      command(fmt::format("asking for the user of {}", unit),
              {"show", "--property=User", unit}));
  const Properties properties = properties_of(result.out);
  const auto found = properties.find("User");
  if (found == properties.end()) {
    throw Error(fmt::format("systemctl show {} printed no User", unit));
  }
  // A name, a number, or nothing, which is root (systemd.exec(5)).
  const std::string name(found->second);
  const auto uid = parse_number(name);
  return name.empty() ? find_user(0)
         : uid        ? find_user(static_cast<uid_t>(*uid))
                      : find_user(name);
}

std::map<std::string, std::string> Systemd::show(
    const std::string& unit, const Words& properties) const {
  Words arguments = {"show",
                     fmt::format("--property={}", fmt::join(properties, ","))};
  if (!unit.empty()) {
    arguments.push_back(unit);
  }
  const CommandResult result = runner_.run_checked(
      command(unit.empty() ? "asking systemd"
                           : fmt::format("asking for the settings of {}", unit),
              arguments));
  std::map<std::string, std::string> shown;
  for (const std::string_view line : split(result.out, '\n')) {
    const std::size_t equals = line.find('=');
    const std::string name(line.substr(0, equals));
    if (equals != std::string_view::npos &&
        std::ranges::find(properties, name) != properties.end()) {
      std::string& values = shown[name];
      values += values.empty() ? "" : "\n";
      values += line.substr(equals + 1);
    }
  }
  return shown;
}

Command Systemd::question(const std::string& unit) const {
  return command(
      fmt::format("asking for the state of {}", unit),
      {"show",
       "--property=ActiveState,SubState,Result,InvocationID,MainPID,NRestarts,"
       "LoadState,ControlGroup,TriggeredBy,ActiveEnterTimestampMonotonic,"
       "CanReload,EnvironmentFiles,FragmentPath,DropInPaths",
       unit});
}

UnitState Systemd::state_of(const std::string& unit) const {
  return parse_unit_state(runner_.run_checked(question(unit)).out, unit);
}

Endpoints Systemd::held_for(const UnitState& unit) const {
  Endpoints held;
  for (const std::string& socket : unit.triggered_by) {
    if (socket.ends_with(".socket")) {
      const CommandResult result = runner_.run_checked(
          command(fmt::format("asking where {} listens", socket),
                  {"show", "--property=Listen", socket}));
      for (const Endpoint& endpoint : parse_listen(result.out)) {
        held.push_back(endpoint);
      }
    }
  }
  return held;
}

}  // namespace deployment
