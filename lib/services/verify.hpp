// Watches restarted services until it is known whether they stay up.
#pragma once

#include "lib/model/config.hpp"
#include "lib/services/systemd.hpp"

namespace deployment {

// The states of units before their restart, by unit.
using StatesBefore = std::map<std::string, UnitState>;

// Says why `now` does not look like a unit that was restarted and has stayed up
// since `first` was seen, just after the restart; nullopt when it does.
std::optional<std::string> why_not_up(const UnitState& before,
                                      const UnitState& first,
                                      const UnitState& now);

// Watches the services of `components` for config.settle, then lets each health
// check succeed once within config.health_timeout. Stops as soon as one service
// is in trouble, since every further second may be an outage. Returns the
// troubles by component; empty when all services stayed up. A query that fails
// is trouble.
std::map<std::string, std::string> verify(
    const Config& config, const std::vector<Component>& components,
    const StatesBefore& before, const Systemd& systemd, CommandRunner& runner,
    const Context& context);

}  // namespace deployment
