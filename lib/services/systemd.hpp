// systemctl(1).
#pragma once

#include "lib/base/time.hpp"
#include "lib/model/endpoint.hpp"
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
  std::string load_state = {};     // "loaded", "masked", "not-found", …
  std::string control_group = {};  // of its processes; empty: there are none
  bool can_reload = true;  // it has an ExecReload=; true when it does not say
  // When it was started, by std::chrono::steady_clock.
  std::chrono::seconds active_since{};
  // The unit's own, its drop-ins, and those with variables.
  std::vector<std::string> files = {};
  std::vector<std::string> triggered_by = {};  // units that start it

  bool operator==(const UnitState&) const = default;
};

// A service does not stay up or does not serve after a restart. Of all that can
// fail after it, this alone is blamed on the commit: everything else is the
// host's failure, and the next try may succeed.
class ServiceDown : public Error {
 public:
  using Error::Error;
  explicit ServiceDown(const Error& error) : Error(error) {}
};

// Returns when the unit was started, or up to 3 s later: whole seconds of two
// clocks say no more. nullopt when it is not active.
std::optional<Time> start_of(const UnitState& unit);

// Returns true when one of the unit's files was changed since `time`, or in the
// same second, whatever time it was given.
bool files_changed_since(const UnitState& unit, Time time);

// Reads KEY=VALUE lines. Throws Error when a key up to NRestarts is missing or
// is no number where one is due: a failed query is never a state.
UnitState parse_unit_state(std::string_view text, const std::string& unit);

// Reads the addresses of TCP of a .socket unit from Listen= lines.
Endpoints parse_listen(std::string_view text);

// "look at: systemctl status …"
std::string how_to_examine(const std::string& unit);

class Systemd {
 public:
  // `context` carries variables, directory and timeout; systemctl runs as
  // this process does.
  Systemd(CommandRunner& runner, Context context);

  // Restarts a unit, even past its start limit. Returns when its start job is
  // done. Throws ServiceDown when the service was started and failed; `before`
  // is its state before. Throws another Error when it could not be started.
  void restart(const std::string& unit, const UnitState& before);

  // Queues the start of a unit, and does not wait for it. Throws Error.
  void start(const std::string& unit);

  // Lets a running unit load its configuration and code anew. Throws
  // ServiceDown when its ExecReload= fails, Error for everything else.
  void reload(const std::string& unit);

  UnitState state_of(const std::string& unit) const;
  // The question, of which parse_unit_state() reads the answer.
  Command question(const std::string& unit) const;

  // Returns those of `properties` that systemd tells of the unit, or of itself
  // when `unit` is empty. One that has several values has a line for each.
  std::map<std::string, std::string> show(const std::string& unit,
                                          const Words& properties) const;

  // Returns the user that the unit's processes run as. Throws Error when there
  // is none: DynamicUser=, for one.
  User user_of(const std::string& unit) const;

  // Returns where the .socket units that start the unit listen for it.
  Endpoints held_for(const UnitState& unit) const;

 private:
  // Returns "success" also when nobody knows.
  std::string result_of_reload(const std::string& unit) const;
  Command command(std::string purpose, Words arguments) const;
  bool was_started(const std::string& unit, const UnitState& before) const;

  CommandRunner& runner_;
  Context context_;
};

}  // namespace deployment
