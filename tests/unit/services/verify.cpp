#include "lib/services/verify.hpp"

#include <unistd.h>

#include "lib/base/error.hpp"
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

TEST_CASE("automatic restarts from before the deployment do not count") {
  UnitState state = running("2");
  state.restarts = 7;
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

// systemctl and curl as the test wants them.
class Host {
 public:
  std::function<std::string(int)> state = [](int) { return running_unit("2"); };
  std::function<int(int)> health = [](int) { return 0; };

  // Returns the trouble of the component; empty when it stayed up.
  std::string verify(Config config, const Component& component) {
    config.settle = 0s;
    const Systemd systemd(runner, {.directory = "/"});
    auto troubles = deployment::verify(config, {component},
                                       {{component.service, running("1")}},
                                       systemd, runner, {.directory = "/"});
    return troubles[component.name];
  }

  FakeRunner runner = FakeRunner([this](const Command& command) {
    if (command.program == "curl") {
      return CommandResult{.status = {.code = health(++asked_health_)},
                           .err = "curl: (7) refused\n"};
    }
    return CommandResult{.out = state(++asked_state_)};
  });

 private:
  int asked_state_ = 0;
  int asked_health_ = 0;
};

const Component web = {.name = "web", .service = "web.service"};

TEST_CASE("a service that stays up is verified") {
  Host host;
  CHECK(host.verify({}, web).empty());
}

TEST_CASE("a service is watched to the end of the settle window") {
  Host host;
  const Systemd systemd(host.runner, {.directory = "/"});
  Config config;
  config.settle = 1s;
  const auto start = std::chrono::steady_clock::now();
  CHECK(deployment::verify(config, {web}, {}, systemd, host.runner,
                           {.directory = "/"})
            .empty());
  CHECK(std::chrono::steady_clock::now() - start >= 1s);
  CHECK(host.runner.asked.size() >= 3);  // first, between, and at the end
}

TEST_CASE("what an earlier run restarted is verified too") {
  Host host;
  const Systemd systemd(host.runner, {.directory = "/"});
  Config config;
  config.settle = 0s;
  CHECK(deployment::verify(config, {web}, {}, systemd, host.runner,
                           {.directory = "/"})
            .empty());
}

TEST_CASE("a service that systemd starts again is not believed") {
  Host host;
  host.state = [](int n) { return running_unit("2", n < 2 ? 0 : 1); };
  CHECK(host.verify({}, web) == "systemd had to start it again (once)");
}

TEST_CASE("one service that fails does not hide one that stays up") {
  const Component api = {.name = "api", .service = "api.service"};
  FakeRunner runner([](const Command& command) {
    const bool is_web = command.arguments.back() == "web.service";
    return CommandResult{.out = is_web ? "" : running_unit("2", 0)};
  });
  Config config;
  config.settle = 0s;
  const auto troubles = deployment::verify(config, {web, api}, {},
                                           Systemd(runner, {.directory = "/"}),
                                           runner, {.directory = "/"});
  CHECK(troubles.size() == 1);
  CHECK(troubles.contains("web"));
}

TEST_CASE("a service in trouble ends the window, and no health is asked for") {
  Component checked = web;
  checked.health_check = "http://localhost:1/health";
  const Component api = {.name = "api", .service = "api.service"};
  Host host;
  host.state = [](int n) { return running_unit("2", n == 5 ? 1 : 0); };
  Config config;
  config.settle = 1h;
  const auto troubles = deployment::verify(
      config, {checked, api}, {}, Systemd(host.runner, {.directory = "/"}),
      host.runner, {.directory = "/"});
  CHECK(troubles.size() == 1);
  CHECK(host.runner.asked.back().program == "systemctl");
}

TEST_CASE("a question that fails is a failure, not a state") {
  Host host;
  host.state = [](int) { return std::string(); };
  CHECK(host.verify({}, web) ==
        "systemctl show web.service printed no valid ActiveState");
}

TEST_CASE("a health check may fail until it succeeds once") {
  Component checked = web;
  checked.health_check = "http://localhost:1/health";
  Host host;
  host.health = [](int n) { return n < 3 ? 7 : 0; };
  CHECK(host.verify({}, checked).empty());
  CHECK(describe(host.runner.asked.back()) ==
        "curl --silent --show-error --fail --output /dev/null --noproxy '*' "
        "-- http://localhost:1/health");
}

TEST_CASE("a health check that never succeeds fails the deployment") {
  Component checked = web;
  checked.health_check = "http://localhost:1/health";
  Config config;
  config.health_timeout = 1s;
  Host host;
  host.health = [](int) { return 7; };
  CHECK(host.verify(config, checked) ==
        "http://localhost:1/health does not answer within 1.0 s: curl: (7) "
        "refused");
}

}  // namespace
}  // namespace deployment
