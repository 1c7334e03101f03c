// Finds out where a unit's processes accept connections.
#pragma once

#include "lib/model/endpoint.hpp"
#include "lib/services/systemd.hpp"

namespace deployment {

// A TCP socket on which processes of a unit listen.
struct Listener {
  Endpoint endpoint = {};
  // The service manager holds it, for a .socket unit: it listens whether or not
  // the service is there.
  bool is_held = false;

  bool operator==(const Listener&) const = default;
};

using Listeners = std::vector<Listener>;  // in order, each endpoint once

// Lists the listening sockets that were made in the unit's control group, and
// those that its .socket units hold, which are `held` by their configuration.
// Returns nullopt when that cannot be told: it takes control groups of version
// 2, and a kernel that names those of sockets. Sockets in another network
// namespace are not seen.
std::optional<Listeners> listeners_of(const UnitState& unit,
                                      const Endpoints& held);

// Returns true for a port that the kernel gives to sockets that ask for none
// (ip_local_port_range of ip(7)): it is another one at each start.
bool is_ephemeral(int port);

}  // namespace deployment
