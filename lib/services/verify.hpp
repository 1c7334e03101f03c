// Watches restarted services until it is known whether they stay up and serve.
#pragma once

#include <set>

#include "lib/model/config.hpp"
#include "lib/model/endpoint.hpp"
#include "lib/services/systemd.hpp"

namespace deployment {

using UnitStates = std::map<std::string, UnitState>;       // by unit
using Troubles = std::map<std::string, std::string>;       // by component
using EndpointsByName = std::map<std::string, Endpoints>;  // by component

// Says why `now` does not look like a unit that was restarted or, if it was
// `reloaded`, went on, and has stayed up since `first` was seen, just after
// that; nullopt when it does.
std::optional<std::string> why_not_up(const UnitState& before,
                                      const UnitState& first,
                                      const UnitState& now,
                                      bool reloaded = false);

// The state in which services are expected to be after their restart.
struct Expectations {
  // Their states before; a unit that an earlier run restarted has none.
  UnitStates before = {};
  std::set<std::string> reloaded = {};  // units that go on as they were
  EndpointsByName listens = {};         // they did so before
  // The components whose services may listen elsewhere now, but not nowhere.
  std::set<std::string> may_move = {};
  // All may do so when it turns out that they do not listen on any port as
  // before, and those of these components nowhere.
  bool may_have_moved = false;
  std::set<std::string> may_vanish = {};
};

struct Verification {
  Troubles troubles = {};  // empty: all services stay up and serve
  // They accept connections there; without those that cannot be told.
  EndpointsByName listens = {};
  // The components whose services listen elsewhere than before, as they may.
  std::set<std::string> moved = {};
};

// Watches the services of `components` for config.settle: their units have to
// stay up, and those of a component have to listen again where they did. A
// component has to pass all its checks, the connections and the health checks,
// after its restart and once more at the end. It may fail them for its health
// timeout. Stops as soon as one is in trouble, since every further second may
// be an outage.
// Throws Error when a question cannot be asked: that is no trouble of the
// service.
Verification verify(const Config& config,
                    const std::vector<Component>& components,
                    const Expectations& expectations, const Systemd& systemd,
                    CommandRunner& runner, const Context& context);

}  // namespace deployment
