#include "lib/services/listening.hpp"

#include <unistd.h>

#include <algorithm>

#include "tests/unit/processes.hpp"
#include "tests/unit/sockets.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

// True when this process, as a unit, listens there.
bool is_found(const Endpoint& endpoint) {
  const auto listeners = listeners_of(own_unit(), {});
  REQUIRE(listeners.has_value());
  return std::ranges::count(*listeners, endpoint) == 1;
}

TEST_CASE("finds a socket while a process of the unit listens on it") {
  if (!has_control_groups()) {
    return;
  }
  Server server(on_all(free_port()));
  CHECK(is_found(server.endpoint()));
  server.close();
  CHECK_FALSE(is_found(server.endpoint()));
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
  CHECK(is_found(endpoint));
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
  CHECK(is_found(server.endpoint()));
  CHECK(listeners_of(unit_in(group.path()), {}) == Endpoints{});
}

TEST_CASE("finds the sockets that are held for the unit") {
  const EmptyGroup group;
  if (!group.is_there()) {
    return;
  }
  const Server server(on_all(free_port()));
  const Endpoints held = {server.endpoint(), on_all(free_port())};
  CHECK(listeners_of(unit_in(group.path()), held) ==
        Endpoints{server.endpoint()});
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
