#include "lib/services/verify.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>

#include "tests/unit/processes.hpp"
#include "tests/unit/sockets.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

// No process has it: above the largest pid_max there is (2^22).
constexpr int no_pid = 1 << 30;

UnitState running(const std::string& invocation) {
  return {.active_state = "active",
          .sub_state = "running",
          .result = "success",
          .invocation_id = invocation,
          .main_pid = getpid(),
          .restarts = 0};
}

TEST_CASE("a unit that was started anew and runs on is up") {
  CHECK(why_not_up(running("1"), running("2"), running("2")) == std::nullopt);
}

TEST_CASE("a reloaded service goes on") {
  UnitState again = running("1");
  again.restarts = 1;
  CHECK(why_not_up(running("1"), running("1"), running("1"), true) ==
        std::nullopt);
  CHECK(why_not_up(running("1"), running("2"), running("2"), true) ==
        "it did not go on: it was started again");
  CHECK(why_not_up(running("1"), running("1"), again, true) ==
        "systemd had to start it again (once)");
  CHECK(why_not_up(running("1"), running("1"), running("1")) ==
        "it is the same invocation as before the restart");
}

TEST_CASE("a unit that was down before is judged by what it is now") {
  const UnitState down = {.active_state = "failed", .sub_state = "failed"};
  CHECK(why_not_up(down, running("2"), running("2")) == std::nullopt);
}

TEST_CASE("a unit without main process is up when it has done its work") {
  UnitState state = running("2");
  state.main_pid = 0;
  state.sub_state = "exited";
  CHECK(why_not_up(running("1"), state, state) == std::nullopt);
}

TEST_CASE("whatever else a unit is, it is not up") {
  struct Case {
    std::string why;
    UnitState now;
  };
  const auto changed = [](const auto& change) {
    UnitState state = running("2");
    change(state);
    return state;
  };
  const Case cases[] = {
      {"it is activating (auto-restart), result exit-code",
       changed([](UnitState& s) {
         s.active_state = "activating";
         s.sub_state = "auto-restart";
         s.result = "exit-code";
       })},
      {"it is failed (failed), result start-limit-hit",
       changed([](UnitState& s) {
         s.active_state = "failed";
         s.sub_state = "failed";
         s.result = "start-limit-hit";
       })},
      {"it is the same invocation as before the restart",
       changed([](UnitState& s) { s.invocation_id = "1"; })},
      {"it is the same invocation as before the restart",
       changed([](UnitState& s) { s.invocation_id = ""; })},
      {"somebody started it again meanwhile",
       changed([](UnitState& s) { s.invocation_id = "3"; })},
      {"systemd had to start it again (2 times)",
       changed([](UnitState& s) { s.restarts = 2; })},
      {"it has no main process", changed([](UnitState& s) { s.main_pid = 0; })},
      {"its main process 1073741824 is gone",
       changed([](UnitState& s) { s.main_pid = no_pid; })},
  };
  for (const Case& c : cases) {
    INFO(c.why);
    CHECK(why_not_up(running("1"), running("2"), c.now) == c.why);
  }
}

const Component web = {.name = "web", .services = {"web.service"}};
const Component api = {.name = "api", .services = {"api.service"}};

Component checked() {
  Component component = web;
  component.health_check = "http://localhost:1/health";
  return component;
}

// systemctl and curl as the test wants them.
class Host {
 public:
  Host() { config.settle = 0s; }

  Verification verify(const std::vector<Component>& components) {
    expectations.before = {{web.services[0], running("1")},
                           {api.services[0], running("1")}};
    return deployment::verify(config, components, expectations,
                              Systemd(runner, {.directory = "/"}), runner,
                              {.directory = "/"});
  }

  // Returns the trouble of the component; empty when it is verified.
  std::string trouble_of(const Component& component) {
    return verify({component}).troubles[component.name];
  }

  std::size_t count(std::string_view part) const {
    std::size_t count = 0;
    for (const std::string& line : runner.lines()) {
      count += contains(line, part) ? 1U : 0U;
    }
    return count;
  }

  Config config;
  Expectations expectations;
  std::function<std::string(int)> state = [](int) { return running_unit("2"); };
  std::function<int(int)> health = [](int) { return 0; };

  FakeRunner runner = FakeRunner([this](const Command& command) {
    if (command.program == "curl") {
      return CommandResult{.status = {.code = health(++asked_health_)},
                           .out = "200",
                           .err = "curl: (7) refused\n"};
    }
    return CommandResult{.out = state(++asked_state_)};
  });

 private:
  int asked_state_ = 0;
  int asked_health_ = 0;
};

TEST_CASE("a service that stays up is verified") {
  Host host;
  CHECK(host.trouble_of(web).empty());
}

TEST_CASE("a service is watched to the end of the settle window") {
  Host host;
  host.config.settle = 1s;
  const auto start = std::chrono::steady_clock::now();
  CHECK(host.trouble_of(web).empty());
  CHECK(std::chrono::steady_clock::now() - start >= 1s);
  // First, and twice at the end; between them its main process was there.
  CHECK(host.runner.asked.size() >= 3);
  CHECK(host.runner.asked.size() <= 4);
}

TEST_CASE("systemd is asked at once when a main process is gone") {
  Host host;
  host.config.settle = 1h;
  Helper server([] { return pause(); });
  host.state = [&](int n) {
    return n == 1 ? fmt::format(
                        "ActiveState=active\nSubState=running\nResult=success\n"
                        "MainPID={}\nInvocationID=2\nNRestarts=0\n",
                        server.pid())
                  : "ActiveState=failed\nSubState=failed\nResult=exit-code\n"
                    "MainPID=0\nInvocationID=2\nNRestarts=0\n";
  };
  host.health = [&](int) {
    server.kill(SIGKILL);
    server.wait();
    return 7;
  };
  CHECK(host.trouble_of(checked()) ==
        "it is failed (failed), result exit-code");
}

TEST_CASE("what an earlier run restarted is verified too") {
  Host host;
  host.state = [](int) { return running_unit("1"); };
  CHECK(host.trouble_of(web) ==
        "it is the same invocation as before the restart");
  const Verification seen =
      verify(host.config, {web}, {}, Systemd(host.runner, {.directory = "/"}),
             host.runner, {.directory = "/"});
  CHECK(seen.troubles.empty());
}

TEST_CASE("a service that systemd starts again is not believed") {
  Host host;
  host.state = [](int n) { return running_unit("2", n < 2 ? 0 : 1); };
  CHECK(host.trouble_of(web) == "systemd had to start it again (once)");
}

TEST_CASE("a service that systemd had started again is not believed at all") {
  Host host;
  host.state = [](int) { return running_unit("2", 1); };
  CHECK(host.trouble_of(web) == "systemd had to start it again (once)");
  CHECK(host.runner.asked.size() == 1);
}

TEST_CASE("a service in trouble ends the window, and no more is asked") {
  Host host;
  host.config.settle = 1h;
  host.state = [](int n) { return running_unit("2", n == 5 ? 1 : 0); };
  const auto troubles = host.verify({checked(), api}).troubles;
  CHECK(troubles.size() == 1);
  CHECK(host.runner.asked.back().program == "systemctl");
}

TEST_CASE("each of several services has to stay up, and its name is told") {
  Host host;
  const Component both = {.name = "both",
                          .services = {"web.service", "api.service"}};
  CHECK(host.trouble_of(both).empty());
  CHECK(host.count("web.service") > 0);
  CHECK(host.count("web.service") == host.count("api.service"));
  host.runner.answer("api.service", printed(running_unit("2", 1)));
  CHECK(host.trouble_of(both) ==
        "api.service: systemd had to start it again (once)");
}

TEST_CASE("a question that fails says nothing of the service") {
  Host host;
  host.state = [](int) { return std::string(); };
  CHECK(message_of<Error>([&] {
          host.verify({web, api});
        }) == "systemctl show web.service printed no valid ActiveState");
  host.state = [](int) { return running_unit("2"); };
  host.health = [](int) { return 6; };  // the name has no address
  CHECK_THROWS_AS(host.verify({checked()}), CommandError);
}

TEST_CASE("a health check may fail until it succeeds, and has to once more") {
  Host host;
  host.health = [](int n) { return n < 3 ? 7 : 0; };
  CHECK(host.trouble_of(checked()).empty());
  CHECK(host.count("curl") == 4);
}

TEST_CASE("a health check that never succeeds is trouble, and soon") {
  Host host;
  host.config.settle = 1h;
  host.config.health_timeout = 1s;
  host.health = [](int) { return 7; };
  CHECK(host.trouble_of(checked()) ==
        "after 1.0 s, http://localhost:1/health does not answer: curl: (7) "
        "refused");
}

TEST_CASE("a health check that succeeds and then fails is trouble") {
  Host host;
  host.config.health_timeout = 1s;
  host.health = [](int n) { return n == 1 ? 0 : 7; };
  CHECK(contains(host.trouble_of(checked()), "does not answer"));
}

TEST_CASE("a component's own health timeout counts more than that of all") {
  Host host;
  host.config.health_timeout = 1h;
  host.health = [](int) { return 7; };
  Component component = checked();
  component.health_timeout = 1s;
  CHECK(contains(host.trouble_of(component), "after 1.0 s, "));
}

TEST_CASE("each question has the time that is left of the timeout") {
  Host host;
  host.config.health_timeout = 3s;
  host.health = [](int) { return 7; };
  CHECK_FALSE(host.trouble_of(checked()).empty());
  auto last = 3001ms;
  for (const Command& command : host.runner.asked) {
    if (command.program == "curl") {
      CHECK(command.context.timeout <= last);
      last = command.context.timeout;
    }
  }
  CHECK(last == 1s);  // the least that it takes to ask
}

// The answer of systemctl show for the test's own process.
std::string own_unit_shown() {
  return running_unit("2") + "ControlGroup=" + own_control_group() + "\n";
}

// The test's own process is the service.
class ListeningHost : public Host {
 public:
  ListeningHost() {
    state = [](int) { return own_unit_shown(); };
    config.health_timeout = 1s;
  }
};

TEST_CASE("a service that was verified with a port has to have it again") {
  if (!has_control_groups()) {
    return;
  }
  ListeningHost host;
  host.config.settle = 1h;
  const Endpoint before = on_all(free_port());
  host.expectations.listens["web"] = {before};
  host.expectations.listens["api"] = {};
  const auto troubles = host.verify({web, api}).troubles;
  REQUIRE(troubles.size() == 1);
  CHECK(troubles.at("web") ==
        "after 1.0 s, it does not listen on port " +
            std::to_string(before.port) +
            ", as it did before; if the push moves it on purpose: "
            "deployment-update --force; if it takes longer to start: "
            "health-timeout");
}

TEST_CASE("a port may come while the timeout lasts") {
  if (!has_control_groups()) {
    return;
  }
  ListeningHost host;
  host.config.health_timeout = 60s;
  std::optional<Server> server;
  std::unique_ptr<Helper> child;
  const Endpoint endpoint = on_all(free_port());
  host.expectations.listens["web"] = {endpoint};
  host.state = [&](int n) {
    if (n == 3) {
      server.emplace(endpoint);
      child.reset(new Helper(accepting(*server)));
    }
    return own_unit_shown();
  };
  const Verification seen = host.verify({web});
  CHECK(seen.troubles.empty());
  const Endpoints& listens = seen.listens.at("web");
  CHECK(std::count(listens.begin(), listens.end(), endpoint) == 1);
}

TEST_CASE("a port that goes away while the service is watched is trouble") {
  if (!has_control_groups()) {
    return;
  }
  ListeningHost host;
  host.config.settle = 1h;
  std::optional<Server> server(on_all(free_port()));
  std::unique_ptr<Helper> child(new Helper(accepting(*server)));
  host.expectations.listens["web"] = {server->endpoint()};
  host.state = [&](int n) {
    if (n == 3) {
      child.reset();
      server.reset();
    }
    return own_unit_shown();
  };
  CHECK(contains(host.trouble_of(web), "it does not listen on port "));
}

TEST_CASE("a socket that is left of a server which died is trouble") {
  if (!has_control_groups()) {
    return;
  }
  ListeningHost host;
  host.config.settle = 1s;
  const Server server(on_all(free_port()));
  const Helper child = accepting(server);
  host.expectations.listens["web"] = {server.endpoint()};
  host.state = [&](int n) {
    if (n == 3) {
      child.kill(SIGKILL);
    }
    return own_unit_shown();
  };
  CHECK(host.trouble_of(web) == "after 1.0 s, it takes no connection at " +
                                    to_string(server.endpoint()) +
                                    ": nobody accepts it");
}

TEST_CASE("nothing is expected of a service without a control group") {
  Host host;  // whose systemctl tells of no control group
  host.expectations.listens["web"] = {on_all(free_port())};
  const Verification seen = host.verify({web});
  CHECK(seen.troubles.empty());
  CHECK(seen.listens.empty());
}

TEST_CASE("who accepts on a port that a .socket unit holds, serves") {
  const EmptyGroup group;
  if (!group.is_there()) {
    return;
  }
  const Server server(on_all(free_port()));
  Host host;
  host.config.health_timeout = 1s;
  host.expectations.listens["web"] = {server.endpoint()};
  host.state = [&](int) {
    return running_unit("2") + "ControlGroup=" + group.path() +
           "\nTriggeredBy=web.timer web.socket\n";
  };
  host.runner.answer(
      "--property=Listen web.socket",
      printed("Listen=" + to_string(server.endpoint()) + " (Stream)\n"));
  CHECK(host.trouble_of(web) == "after 1.0 s, it takes no connection at " +
                                    to_string(server.endpoint()) +
                                    ": nobody accepts it");
  CHECK(host.count("--property=Listen") == 1);

  const Helper service = accepting(server);
  const Verification seen = host.verify({web});
  CHECK(seen.troubles.empty());
  CHECK(seen.listens.at("web") == Endpoints{server.endpoint()});
}

}  // namespace
}  // namespace deployment
