// Finds out where a unit's processes listen.
#pragma once

#include "lib/model/endpoint.hpp"
#include "lib/services/systemd.hpp"

namespace deployment {

// Lists where sockets listen that were made in the unit's control group, and
// those that its .socket units hold, which are `held` by their configuration:
// in order, each endpoint once. A unit without a process listens nowhere.
// Returns nullopt when that cannot be told: it
// takes control groups of version 2, and a kernel that names those of sockets.
// Sockets in another network namespace are not seen.
std::optional<Endpoints> listeners_of(const UnitState& unit,
                                      const Endpoints& held);

// Adds where another unit listens; nullopt when that cannot be told of one.
void add_listeners(std::optional<Endpoints>& all,
                   const std::optional<Endpoints>& more);

// Returns true for a port that the kernel gives to sockets that ask for none
// (ip_local_port_range of ip(7)): it is another one at each start.
bool is_ephemeral(int port);

}  // namespace deployment
