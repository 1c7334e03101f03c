#include "lib/services/probe.hpp"

#include <poll.h>
#include <unistd.h>

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
    const Helper child = accepting(server);
    Probe probe(endpoint);
    CHECK(problem_after(probe, 5s) == std::nullopt);
    CHECK_FALSE(probe.has_failed());
  }
}

TEST_CASE("is refused where nobody listens") {
  Probe probe(on_all(free_port()));
  CHECK(probe.problem() == "Connection refused");
  CHECK(probe.has_failed());
  CHECK(probe.problem() == "Connection refused");  // it is not forgotten
}

TEST_CASE("waits where the queue is full") {
  const Server server(on_loopback(free_port()), 0);
  Probe first(server.endpoint());
  CHECK(first.problem() == "nobody accepts it");
  Probe second(server.endpoint());
  CHECK(second.problem() == "no connection is made");
  CHECK_FALSE(second.has_failed());
}

TEST_CASE("a connection that the kernel made has to be accepted") {
  for (const Endpoint& endpoint :
       {on_all(free_port()), Endpoint{.port = free_port()}}) {
    INFO(to_string(endpoint));
    const Server server(endpoint);
    Probe waiting(endpoint);
    CHECK(problem_after(waiting, 300ms) == "nobody accepts it");
    CHECK_FALSE(waiting.has_failed());
    const Descriptor accepted = server.accept();
    CHECK(waiting.problem() == std::nullopt);
  }
}

TEST_CASE("a connection that was accepted and closed was accepted") {
  const Server server(on_all(free_port()));
  Probe probe(server.endpoint());
  server.accept().reset();
  CHECK(problem_after(probe, 5s) == std::nullopt);
}

TEST_CASE("a connection that was accepted is closed") {
  const Server server(on_all(free_port()));
  Probe probe(server.endpoint());
  const Descriptor accepted = server.accept();
  CHECK(problem_after(probe, 5s) == std::nullopt);
  pollfd closed{.fd = accepted.get(), .events = POLLIN, .revents = 0};
  CHECK(poll(&closed, 1, 0) == 1);
  char byte = 0;
  CHECK(read(accepted.get(), &byte, 1) == 0);
  CHECK(probe.problem() == std::nullopt);
}

TEST_CASE("a connection that waits for one who goes away fails") {
  Server server(on_all(free_port()));
  Probe probe(server.endpoint());
  CHECK(probe.problem().has_value());
  server.close();
  CHECK(problem_after(probe, 100ms).has_value());
  CHECK(probe.has_failed());
}

}  // namespace
}  // namespace deployment
