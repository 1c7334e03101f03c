#include "lib/services/probe.hpp"

#include <chrono>

#include "lib/base/signals.hpp"
#include "tests/unit/sockets.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

// Asks until there is no problem, or for a time.
std::optional<std::string> problem_after(Probe& probe,
                                         std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  auto problem = probe.problem();
  while (problem && std::chrono::steady_clock::now() < deadline) {
    wait_for(10ms);
    problem = probe.problem();
  }
  return problem;
}

TEST_CASE("connects to whatever address somebody listens on") {
  for (const Endpoint& endpoint :
       {on_all(free_port()), on_loopback(free_port()),
        Endpoint{.port = free_port()}}) {
    INFO(to_string(endpoint));
    const Server server(endpoint);
    Probe probe({.endpoint = endpoint});
    CHECK(problem_after(probe, 5s) == std::nullopt);
    CHECK_FALSE(probe.has_failed());
    server.accept();
  }
}

TEST_CASE("is refused where nobody listens") {
  Probe probe({.endpoint = on_all(free_port())});
  CHECK(probe.problem() == "Connection refused");
  CHECK(probe.has_failed());
  CHECK(probe.problem() == "Connection refused");  // it is not forgotten
}

TEST_CASE("waits where the queue is full") {
  const Server server(on_loopback(free_port()), 0);
  Probe first({.endpoint = server.endpoint()});
  CHECK(first.problem() == std::nullopt);
  Probe second({.endpoint = server.endpoint()});
  CHECK(second.problem() == "no connection is made");
  CHECK_FALSE(second.has_failed());
}

TEST_CASE("a socket that is held has to accept the connection itself") {
  for (const Endpoint& endpoint :
       {on_all(free_port()), Endpoint{.port = free_port()}}) {
    INFO(to_string(endpoint));
    const Server server(endpoint);
    Probe waiting({.endpoint = endpoint, .is_held = true});
    CHECK(problem_after(waiting, 300ms) ==
          "its .socket unit holds the port, and no connection is accepted");
    CHECK_FALSE(waiting.has_failed());
    const Descriptor accepted = server.accept();
    CHECK(waiting.problem() == std::nullopt);
  }
}

TEST_CASE("a connection that was accepted and closed was accepted") {
  const Server server(on_all(free_port()));
  Probe probe({.endpoint = server.endpoint(), .is_held = true});
  server.accept().reset();
  CHECK(problem_after(probe, 5s) == std::nullopt);
}

TEST_CASE("a connection that waits for one who goes away fails") {
  Server server(on_all(free_port()));
  Probe probe({.endpoint = server.endpoint(), .is_held = true});
  CHECK(probe.problem().has_value());
  server.close();
  CHECK(problem_after(probe, 100ms).has_value());
  CHECK(probe.has_failed());
}

}  // namespace
}  // namespace deployment
