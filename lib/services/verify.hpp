// A restart is believed only when the service stays up.
#pragma once

#include <map>
#include <vector>

#include "lib/model/config.hpp"
#include "lib/services/systemd.hpp"

namespace deployment {

// What units were before their restart, by unit.
using StatesBefore = std::map<std::string, UnitState>;

// Why `now` does not look like a unit that was restarted and stayed up since
// `first` was seen, just after the restart; empty: it does.
std::string why_not_up(const UnitState& before, const UnitState& first,
                       const UnitState& now);

// Watches the restarted units for config.settle, and lets each health check
// succeed once within config.health_timeout; but no longer than until one is in
// trouble, since that decides it and every second of it may be an outage.
// Returns why components did not stay up, by name; empty: all did. A failed
// query is a failure.
std::map<std::string, std::string> verify(
    const Config& config, const std::vector<Component>& components,
    const StatesBefore& before, const Systemd& systemd, CommandRunner& runner,
    const Command& prototype);

}  // namespace deployment
