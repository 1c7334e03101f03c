#include "lib/services/ports.hpp"

#include <algorithm>
#include <chrono>

#include "lib/base/signals.hpp"
#include "tests/unit/sockets.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

const std::string command = "deployment-update --instance shop --force";
const std::string way = "; if the push moves it on purpose: " + command +
                        "; if it takes longer to start: health-timeout";

// Asks until connections are accepted, or for a time.
std::optional<std::string> trouble_of(Ports& ports) {
  using namespace std::chrono_literals;
  const auto deadline = std::chrono::steady_clock::now() + 500ms;
  ports.look(listeners_of(own_unit(), {}), true);
  if (const auto missing = ports.why_not_listening()) {
    return missing;
  }
  auto problem = ports.why_no_connection();
  while (problem && std::chrono::steady_clock::now() < deadline) {
    wait_for(10ms);
    problem = ports.why_no_connection();
  }
  return problem;
}

std::optional<std::string> trouble_of(const Endpoints& expected,
                                      bool may_move = false) {
  Ports ports(expected, may_move, command);
  return trouble_of(ports);
}

bool has(const std::optional<Endpoints>& endpoints, const Endpoint& one) {
  REQUIRE(endpoints.has_value());
  return std::ranges::count(*endpoints, one) == 1;
}

TEST_CASE("a service has to listen again on the ports that it had") {
  if (!has_control_groups()) {
    return;
  }
  Server one(on_all(free_port()));
  Server other(on_all(free_port()));
  const Endpoints expected = {one.endpoint(), other.endpoint()};
  {
    const Helper first = accepting(one);
    const Helper second = accepting(other);
    CHECK(trouble_of(expected) == std::nullopt);
  }
  other.close();
  CHECK(trouble_of(expected) == "it does not listen on port " +
                                    std::to_string(other.port()) +
                                    ", as it did before" + way);
  one.close();
  CHECK(contains(*trouble_of(expected), std::to_string(one.port())));
}

TEST_CASE("more ports than it had are no trouble") {
  if (!has_control_groups()) {
    return;
  }
  const Server server(on_all(free_port()));
  CHECK(trouble_of({}) == std::nullopt);
}

TEST_CASE("a port that the kernel chose is not expected") {
  const int ephemeral =
      std::stoi(read_file("/proc/sys/net/ipv4/ip_local_port_range"));
  CHECK(trouble_of({on_all(ephemeral)}) == std::nullopt);
}

TEST_CASE("a service may change its address, but not hide behind loopback") {
  if (!has_control_groups()) {
    return;
  }
  const int port = free_port();
  const Endpoint ipv6 = {.port = port};
  {
    const Server server(ipv6);
    const Helper child = accepting(server);
    CHECK(trouble_of({on_all(port)}) == std::nullopt);
    CHECK(trouble_of({on_loopback(port)}) == std::nullopt);
  }
  const Server server(on_loopback(port));
  const Helper child = accepting(server);
  CHECK(trouble_of({on_loopback(port)}) == std::nullopt);
  CHECK(trouble_of({on_all(port)}) ==
        "it listens on 127.0.0.1:" + std::to_string(port) +
            ", and no longer on 0.0.0.0:" + std::to_string(port) + way);
}

// A unit that listens nowhere.
UnitState silent_unit(const EmptyGroup& group) {
  UnitState unit = own_unit();
  unit.control_group = group.path();
  return unit;
}

TEST_CASE("a service that may move has to listen somewhere") {
  const EmptyGroup group;
  if (!group.is_there()) {
    return;
  }
  const Endpoint before = on_all(free_port());
  const Server server(on_all(free_port()));
  const Helper child = accepting(server);
  CHECK(trouble_of({before}, true) == std::nullopt);
  Ports ports({before}, true, command);
  ports.look(listeners_of(silent_unit(group), {}), true);
  CHECK(ports.why_not_listening() == "it does not listen on any port");
  Ports never({}, true, command);
  never.look(listeners_of(silent_unit(group), {}), true);
  CHECK(never.why_not_listening() == std::nullopt);
}

TEST_CASE("a service that listens has to take a connection") {
  if (!has_control_groups()) {
    return;
  }
  const Server server(on_all(free_port()));
  Ports ports({server.endpoint()}, false, command);
  CHECK(trouble_of(ports) == "it takes no connection at " +
                                 to_string(server.endpoint()) +
                                 ": nobody accepts it");
}

TEST_CASE("what accepts connections can be expected the next time") {
  if (!has_control_groups()) {
    return;
  }
  const Server server(on_all(free_port()));
  const Server silent(on_all(free_port()));
  const Server ephemeral(on_all(0));
  const Helper first = accepting(server);
  const Helper second = accepting(ephemeral);
  Ports ports({}, false, command);
  ports.look(listeners_of(own_unit(), {}), true);
  const auto accepting = ports.accepting();
  CHECK(has(accepting, server.endpoint()));
  CHECK_FALSE(has(accepting, silent.endpoint()));
  CHECK(std::ranges::none_of(*accepting, [](const Endpoint& endpoint) {
    return is_ephemeral(endpoint.port);
  }));
}

TEST_CASE("what came late may come too late the next time") {
  if (!has_control_groups()) {
    return;
  }
  const Server expected(on_all(free_port()));
  const Helper first = accepting(expected);
  Ports ports({expected.endpoint()}, false, command);
  ports.look(listeners_of(own_unit(), {}), true);
  const Server late(on_all(free_port()));
  const Helper second = accepting(late);
  ports.look(listeners_of(own_unit(), {}), false);
  const auto accepting = ports.accepting();
  CHECK(has(accepting, expected.endpoint()));
  CHECK_FALSE(has(accepting, late.endpoint()));
}

TEST_CASE("nothing is expected where it cannot be told who listens") {
  UnitState unit = own_unit();
  unit.control_group.clear();
  Ports ports({on_all(free_port())}, false, command);
  ports.look(listeners_of(unit, {}), true);
  CHECK(ports.why_not_listening() == std::nullopt);
  CHECK(ports.why_no_connection() == std::nullopt);
  CHECK(ports.accepting() == std::nullopt);
}

TEST_CASE("a service that listens elsewhere already was moved by hand") {
  const EmptyGroup group;
  if (!group.is_there()) {
    return;
  }
  const Endpoint gone = on_all(free_port());
  const Server server(on_all(free_port()));
  const Endpoints recorded = {gone, server.endpoint()};
  CHECK(expected_again(recorded, listeners_of(own_unit(), {}), false).listens ==
        Endpoints{server.endpoint()});
  // One that is down was not moved.
  CHECK(expected_again(recorded, listeners_of(silent_unit(group), {}), true)
            .listens == recorded);
}

TEST_CASE("who listens elsewhere alone may move, and who is down may not") {
  const Endpoint web = on_all(3000);
  const Endpoint other = on_all(3001);
  const Endpoint worker = on_all(9100);
  const ExpectedPorts moved = expected_again({web}, Endpoints{other}, false);
  CHECK(moved.listens == Endpoints{web});
  CHECK(moved.may_move);
  // The web service is down, and its worker is not.
  const ExpectedPorts down =
      expected_again({web, worker}, Endpoints{worker}, true);
  CHECK(down.listens == Endpoints{web, worker});
  CHECK_FALSE(down.may_move);
  CHECK(expected_again({web, worker}, Endpoints{worker}, false).listens ==
        Endpoints{worker});
  const ExpectedPorts late = expected_again({}, Endpoints{web}, false);
  CHECK(late.listens.empty());
  CHECK(late.came_late);
  CHECK_FALSE(late.may_move);
}

}  // namespace
}  // namespace deployment
