#include "lib/services/systemd.hpp"

#include <fmt/format.h>

#include <map>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

using Properties = std::map<std::string_view, std::string_view>;

Properties properties_of(std::string_view text) {
  Properties properties;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos) {
      properties[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }
  return properties;
}

class Reader {
 public:
  Reader(const Properties& properties, const std::string& unit)
      : properties_(properties), unit_(unit) {}

  std::string text(const char* key) const {
    const auto found = properties_.find(key);
    if (found == properties_.end()) {
      refuse(key);
    }
    return std::string(found->second);
  }

  int number(const char* key) const {
    const auto number = parse_number(text(key));
    if (!number) {
      refuse(key);
    }
    return *number;
  }

 private:
  [[noreturn]] void refuse(const char* key) const {
    throw Error(fmt::format("systemctl show {} gave no {}", unit_, key));
  }

  const Properties& properties_;
  const std::string& unit_;
};

}  // namespace

UnitState parse_unit_state(std::string_view text, const std::string& unit) {
  const Properties properties = properties_of(text);
  const Reader reader(properties, unit);
  return {.active_state = reader.text("ActiveState"),
          .sub_state = reader.text("SubState"),
          .result = reader.text("Result"),
          .invocation_id = reader.text("InvocationID"),
          .main_pid = reader.number("MainPID"),
          .restarts = reader.number("NRestarts")};
}

Systemd::Systemd(CommandRunner& runner, Context context)
    : runner_(runner), context_(std::move(context)) {}

Command Systemd::command(std::string purpose,
                         std::vector<std::string> arguments) const {
  return {.purpose = std::move(purpose),
          .program = "systemctl",
          .arguments = std::move(arguments),
          .context = context_};
}

void Systemd::reset_failed(const std::string& unit) {
  runner_.run(command(fmt::format("clearing failures of {}", unit),
                      {"reset-failed", unit}));
}

void Systemd::restart(const std::string& unit) {
  const Command restart =
      command(fmt::format("restarting {}", unit), {"restart", unit});
  const CommandResult result = runner_.run(restart);
  if (!result.status.success()) {
    throw CommandError(
        restart, result,
        fmt::format("look at: systemctl status {0}; journalctl -u {0}", unit));
  }
}

UnitState Systemd::state_of(const std::string& unit) const {
  const CommandResult result = runner_.run_checked(command(
      fmt::format("asking for the state of {}", unit),
      {"show",
       "--property=ActiveState,SubState,Result,InvocationID,MainPID,NRestarts",
       unit}));
  return parse_unit_state(result.out, unit);
}

}  // namespace deployment
