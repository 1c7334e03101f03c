#include <fmt/format.h>

#include "lib/base/text.hpp"
#include "lib/check/questions.hpp"
#include "lib/deploy/services.hpp"

namespace deployment {
namespace {

using UnitProperties = std::map<std::string, std::string>;

// Returns the property; empty when systemd did not tell it.
std::string value_of(const UnitProperties& unit, const std::string& name) {
  const auto found = unit.find(name);
  return found == unit.end() ? "" : found->second;
}

// True for a unit that no boot starts and that nothing else says it will.
bool is_disabled(const std::string& unit_file_state) {
  return unit_file_state == "disabled" || unit_file_state == "linked" ||
         unit_file_state == "linked-runtime" ||
         unit_file_state == "enabled-runtime";
}

// True for a unit that another one starts, as a .socket unit.
bool is_wanted(const UnitProperties& unit) {
  return !value_of(unit, "TriggeredBy").empty() ||
         !value_of(unit, "WantedBy").empty() ||
         !value_of(unit, "RequiredBy").empty();
}

// Looks at a unit as runs do, and whether what systemd has read is what is in
// its files. Returns its properties; nullopt when it cannot be started.
std::optional<UnitProperties> look_at_unit(const Question& question,
                                           const std::string& unit) {
  std::optional<UnitProperties> properties;
  question.found.look_at("units", check_again, [&] {
    const UnitProperties shown = question.systemd.show(
        unit,
        {"LoadState", "UnitFileState", "NeedDaemonReload", "ActiveState",
         "ExecStart", "Triggers", "TriggeredBy", "WantedBy", "RequiredBy"});
    require_loaded({.load_state = value_of(shown, "LoadState")}, unit);
    properties = shown;
    if (value_of(shown, "NeedDaemonReload") == "yes") {
      question.found.add(
          {.about = "units",
           .what = fmt::format("a file of {} was changed, and systemd has not "
                               "read it since",
                               unit),
           .remedy = "let it read them: systemctl daemon-reload"});
    }
    question.found.saw("units", unit);
  });
  return properties;
}

void look_at_service(const Question& question, const std::string& unit) {
  const auto properties = look_at_unit(question, unit);
  if (properties && is_disabled(value_of(*properties, "UnitFileState")) &&
      !is_wanted(*properties)) {
    question.found.add(
        {.about = "units",
         .what = fmt::format("{} is not enabled: it does not start when the "
                             "host boots",
                             unit),
         .remedy = fmt::format("enable it: systemctl enable {}", unit)});
  }
}

// Looks at the timer. Returns the unit that it starts; empty: nobody knows.
std::string look_at_timer(const Question& question) {
  const std::string timer = own_unit(question.config) + ".timer";
  const auto properties = look_at_unit(question, timer);
  if (!properties) {
    return "";
  }
  if (is_disabled(value_of(*properties, "UnitFileState"))) {
    question.found.add(
        {.about = "units",
         .what = fmt::format("{} is not enabled: nothing is deployed after the "
                             "next boot",
                             timer),
         .remedy = fmt::format("enable it: systemctl enable --now {}", timer)});
  } else if (value_of(*properties, "ActiveState") != "active") {
    question.found.add(
        {.about = "units",
         .what = fmt::format("{} is not active: nothing is deployed", timer),
         .remedy = fmt::format("start it: systemctl start {}", timer)});
  }
  return value_of(*properties, "Triggers");
}

// Reads "{ path=/usr/local/bin/deployment-update ; argv[]=… ; … }": the part
// that begins with `key`.
std::string part_of(std::string_view exec_start, std::string_view key) {
  const std::size_t at = exec_start.find(key);
  if (at == std::string_view::npos) {
    return "";
  }
  exec_start.remove_prefix(at + key.size());
  return std::string(trimmed(exec_start.substr(0, exec_start.find(" ;"))));
}

std::string program_of(std::string_view exec_start) {
  return part_of(exec_start, "path=");
}

// Returns the words after the program.
std::string options_of(std::string_view exec_start) {
  const std::string words = part_of(exec_start, "argv[]=");
  const std::size_t blank = words.find(' ');
  return blank == std::string::npos ? ""
                                    : std::string(trimmed(words.substr(blank)));
}

// A poll has to ask what a run of `service` would ask, or pushes are missed.
void look_at_poll(const Question& question, const std::string& poll,
                  const std::string& service, const UnitProperties& of_runs) {
  const auto properties = look_at_unit(question, poll);
  if (!properties) {
    return;
  }
  const std::string polls = "--poll " + service;
  std::string options = options_of(value_of(*properties, "ExecStart"));
  const std::size_t at = options.find(polls);
  if (at == std::string::npos) {
    return;  // a unit of the host's own
  }
  options.erase(at, polls.size());
  if (trimmed(options) != options_of(value_of(of_runs, "ExecStart"))) {
    question.found.add(
        {.about = "units",
         .what =
             fmt::format("{} asks the remote with other options than {} has",
                         poll, service),
         .remedy = "give both the same, or write them into the configuration, "
                   "which both read"});
  }
}

// The unit of this program starts this program, and not the original script.
void look_at_own_service(const Question& question, const std::string& started) {
  const std::string service = own_unit(question.config) + ".service";
  const auto properties = look_at_unit(question, service);
  const std::string program =
      properties ? program_of(value_of(*properties, "ExecStart")) : "";
  if (!program.empty() &&
      std::filesystem::path(program).filename() != "deployment-update") {
    question.found.add(
        {.about = "units",
         .what = fmt::format("{} starts {}, and not this program", service,
                             program),
         .remedy = "have the unit of this program installed: scripts/install"});
  }
  if (properties && !started.empty() && started != service) {
    look_at_poll(question, started, service, *properties);
  }
}

}  // namespace

void look_at_units(const Question& question) {
  try {
    question.systemd.show("", {"Version"});
  } catch (const Error& error) {
    question.found.add_with_remedy(
        "units", error,
        "run this where systemd runs: no service can be restarted here, and no "
        "timer starts a run");
    return;
  }
  for (const Component& component : question.config.components) {
    // Runs skip a default component that this application does not have.
    std::error_code unknown;
    if (question.config.names_components ||
        std::filesystem::exists(question.config.repo_dir / component.directory,
                                unknown)) {
      for (const std::string& unit : component.services) {
        look_at_service(question, unit);
      }
    }
  }
  look_at_own_service(question, look_at_timer(question));
}

}  // namespace deployment
