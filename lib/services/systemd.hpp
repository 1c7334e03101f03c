// systemctl(1).
#pragma once

#include "lib/process/command.hpp"

namespace deployment {

// The state of a unit as `systemctl show` tells it
// (org.freedesktop.systemd1(5)).
struct UnitState {
  std::string active_state = {};   // "active", "activating", "failed", …
  std::string sub_state = {};      // "running", "auto-restart", …
  std::string result = {};         // "success", "exit-code", …
  std::string invocation_id = {};  // another one for each start
  int main_pid = 0;                // 0: no main process
  int restarts = 0;                // automatic ones since the last manual start

  bool operator==(const UnitState&) const = default;
};

// Reads KEY=VALUE lines; throws Error when one of the keys above is missing
// or is no number where one is due: a failed query is never a state.
UnitState parse_unit_state(std::string_view text, const std::string& unit);

// "look at: systemctl status …"
std::string how_to_examine(const std::string& unit);

class Systemd {
 public:
  // `context` carries variables, directory and timeout; systemctl runs as
  // this process does.
  Systemd(CommandRunner& runner, Context context);

  // Restarts a unit, even past its start limit. Returns when its start job is
  // done. Throws CommandError.
  void restart(const std::string& unit);

  UnitState state_of(const std::string& unit) const;

  // Returns the user that the unit's processes run as. Throws Error when there
  // is none: DynamicUser=, for one.
  User user_of(const std::string& unit) const;

 private:
  Command command(std::string purpose, Words arguments) const;

  CommandRunner& runner_;
  Context context_;
};

}  // namespace deployment
