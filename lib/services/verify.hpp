// Watches restarted services until it is known whether they stay up.
#pragma once

#include "lib/model/config.hpp"
#include "lib/services/systemd.hpp"

namespace deployment {

using UnitStates = std::map<std::string, UnitState>;  // by unit
using Troubles = std::map<std::string, std::string>;  // by component

// Says why `now` does not look like a unit that was restarted and has stayed up
// since `first` was seen, just after the restart; nullopt when it does.
std::optional<std::string> why_not_up(const UnitState& before,
                                      const UnitState& first,
                                      const UnitState& now);

// Watches the services of `components` for config.settle, then lets each health
// check succeed once within config.health_timeout. Stops as soon as one service
// is in trouble, since every further second may be an outage. A query that
// fails is trouble. `before` has the states before the restarts; a unit that
// an earlier run restarted has none. Returns nothing when all services
// stayed up.
Troubles verify(const Config& config, const std::vector<Component>& components,
                UnitStates before, const Systemd& systemd,
                CommandRunner& runner, const Context& context);

}  // namespace deployment
