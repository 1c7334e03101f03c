#include "lib/services/systemd.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

constexpr const char* up =
    "MainPID=42\nNRestarts=3\nResult=success\nActiveState=active\n"
    "SubState=running\nInvocationID=0a1b\n";

std::string without(const std::string& key) {
  std::string text = up;
  const std::size_t start = text.find(key + "=");
  return text.erase(start, text.find('\n', start) + 1 - start);
}

TEST_CASE("the state of a unit is read whatever the order") {
  CHECK(parse_unit_state(up, "a.service") == UnitState{.active_state = "active",
                                                       .sub_state = "running",
                                                       .result = "success",
                                                       .invocation_id = "0a1b",
                                                       .main_pid = 42,
                                                       .restarts = 3});
}

TEST_CASE("a unit that never ran has an empty invocation") {
  const UnitState state = parse_unit_state(
      "MainPID=0\nNRestarts=0\nResult=success\nActiveState=inactive\n"
      "SubState=dead\nInvocationID=\n",
      "a.service");
  CHECK(state.invocation_id.empty());
  CHECK(state.main_pid == 0);
}

TEST_CASE("an answer with a key missing is no state") {
  for (const char* key : {"MainPID", "NRestarts", "Result", "ActiveState",
                          "SubState", "InvocationID"}) {
    CHECK(message_of<Error>(
              [&] { parse_unit_state(without(key), "a.service"); }) ==
          std::string("systemctl show a.service printed no valid ") + key);
  }
}

TEST_CASE("a number that is none is no state") {
  for (const char* number : {"", "x", "4x", " 4", "99999999999999"}) {
    CHECK(message_of<Error>([&] {
            parse_unit_state(
                without("NRestarts") + "NRestarts=" + number + "\n",
                "a.service");
          }) == "systemctl show a.service printed no valid NRestarts");
  }
}

TEST_CASE("systemctl is asked for one unit by its name") {
  FakeRunner runner([](const Command&) { return CommandResult{.out = up}; });
  Systemd systemd(runner, {.directory = "/"});
  systemd.restart("a.service");
  systemd.state_of("a.service");
  CHECK(runner.lines() ==
        std::vector<std::string>{
            "systemctl reset-failed a.service", "systemctl restart a.service",
            "systemctl show --property=ActiveState,SubState,Result,"
            "InvocationID,MainPID,NRestarts a.service"});
}

TEST_CASE("a restart that fails says where to look") {
  FakeRunner runner([](const Command&) {
    return CommandResult{.status = {.code = 1}, .err = "start limit hit\n"};
  });
  Systemd systemd(runner, {.directory = "/"});
  const auto error =
      error_of<CommandError>([&] { systemd.restart("a.service"); });
  CHECK(error.what() ==
        std::string("restarting a.service failed: systemctl restart a.service "
                    "exited with code 1\nstart limit hit"));
  CHECK(error.advice() ==
        "look at: systemctl status a.service; journalctl -u a.service");
}

}  // namespace
}  // namespace deployment
