#include "lib/services/listening.hpp"

#include <unistd.h>

#include <algorithm>

#include "tests/unit/processes.hpp"
#include "tests/unit/sockets.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

// What a unit has at an endpoint; nullopt: it does not listen there.
std::optional<Listener> found(const Endpoint& endpoint,
                              const UnitState& unit = own_unit(),
                              const Endpoints& held = {}) {
  const auto listeners = listeners_of(unit, held);
  REQUIRE(listeners.has_value());
  const auto at = std::ranges::find(*listeners, endpoint, &Listener::endpoint);
  return at == listeners->end() ? std::nullopt : std::optional(*at);
}

TEST_CASE("finds a socket while a process of the unit listens on it") {
  if (!has_control_groups()) {
    return;
  }
  Server server(on_all(free_port()));
  CHECK(found(server.endpoint()) == Listener{.endpoint = server.endpoint()});
  server.close();
  CHECK_FALSE(found(server.endpoint()).has_value());
}

TEST_CASE("finds the socket of a child alone") {
  if (!has_control_groups()) {
    return;
  }
  const Folder folder;
  const Endpoint endpoint = {.port = free_port()};
  Fifo fifo(folder / "pipe");
  const Helper child([&] {
    const Server server(endpoint);
    write_file(fifo.path(), "listens");
    pause();
    return 0;
  });
  fifo.wait_for_text("listens");
  CHECK(found(endpoint).has_value());
}

UnitState unit_in(const std::string& control_group) {
  UnitState unit = own_unit();
  unit.control_group = control_group;
  return unit;
}

TEST_CASE("finds no socket of another control group, but those below") {
  const EmptyGroup group;
  if (!group.is_there()) {
    return;
  }
  const Server server(on_all(free_port()));
  CHECK(found(server.endpoint()).has_value());
  CHECK(listeners_of(unit_in(group.path()), {}) == Listeners{});
}

TEST_CASE("a socket is held when it is configured, and not the unit's own") {
  const EmptyGroup group;
  if (!group.is_there()) {
    return;
  }
  const Server server(on_all(free_port()));
  const Endpoints held = {server.endpoint(), on_all(free_port())};
  CHECK(listeners_of(unit_in(group.path()), held) ==
        Listeners{{.endpoint = server.endpoint(), .is_held = true}});
  CHECK_FALSE(found(server.endpoint(), own_unit(), held)->is_held);
}

TEST_CASE("nothing is known of a unit without control group") {
  CHECK(listeners_of(unit_in(""), {}) == std::nullopt);
  CHECK(listeners_of(unit_in("/no/such.service"), {}) == std::nullopt);
}

TEST_CASE("knows the ports that the kernel chooses") {
  for (const int port : {80, 3000, 8000}) {
    CHECK_FALSE(is_ephemeral(port));
  }
  const std::string range = read_file("/proc/sys/net/ipv4/ip_local_port_range");
  CHECK(is_ephemeral(std::stoi(range)));
  CHECK_FALSE(is_ephemeral(std::stoi(range) - 1));
}

}  // namespace
}  // namespace deployment
