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

TEST_CASE("what an older systemd does not tell is not known") {
  const UnitState state = parse_unit_state(up, "a.service");
  CHECK(state.load_state.empty());
  CHECK(state.control_group.empty());
  CHECK(state.files.empty());
}

TEST_CASE("a state says where the unit's processes and files are") {
  const UnitState state = parse_unit_state(
      std::string(up) +
          "LoadState=loaded\nControlGroup=/system.slice/a.service\n"
          "FragmentPath=/etc/systemd/system/a.service\n"
          "DropInPaths=/run/a.d/1.conf /etc/a.d/2.conf\n"
          "EnvironmentFiles=/etc/a b (ignore_errors=no)\n"
          "EnvironmentFiles=/etc/c (ignore_errors=yes)\n"
          "EnvironmentFiles= (ignore_errors=yes)\n"
          "TriggeredBy=a.timer a.socket\n",
      "a.service");
  CHECK(state.load_state == "loaded");
  CHECK(state.control_group == "/system.slice/a.service");
  CHECK(state.files == std::vector<std::string>{"/etc/a b", "/etc/c",
                                                "/etc/systemd/system/a.service",
                                                "/run/a.d/1.conf",
                                                "/etc/a.d/2.conf"});
  CHECK(state.triggered_by == std::vector<std::string>{"a.timer", "a.socket"});
}

TEST_CASE("a state says when the unit was started") {
  using namespace std::chrono_literals;
  const auto boot =
      now() - std::chrono::round<std::chrono::seconds>(
                  std::chrono::steady_clock::now().time_since_epoch());
  const UnitState state = parse_unit_state(
      std::string(up) + "ActiveEnterTimestampMonotonic=12345678\n",
      "a.service");
  CHECK(state.active_since == 12s);
  REQUIRE(start_of(state).has_value());
  const auto late = *start_of(state) - boot - 12s;
  CHECK(late >= -1s);  // `boot` is rounded
  CHECK(late <= 4s);
  UnitState failed = state;
  failed.active_state = "failed";
  CHECK_FALSE(start_of(failed).has_value());
  for (const char* none : {"0", "", "999999", "never"}) {
    CHECK(parse_unit_state(
              std::string(up) + "ActiveEnterTimestampMonotonic=" + none + "\n",
              "a.service")
              .active_since == 0s);
  }
}

TEST_CASE("a change of one of a unit's files is seen, whatever its own time") {
  using namespace std::chrono_literals;
  const Folder folder;
  const std::filesystem::path file = folder / "web.service";
  write_file(file, "");
  std::filesystem::last_write_time(file, {});
  const UnitState unit{.files = {"/nowhere/web.service", file}};
  CHECK(files_changed_since(unit, now() - 1min));
  CHECK_FALSE(files_changed_since(unit, now() + 1min));
}

TEST_CASE("the addresses of a .socket unit are those of TCP") {
  CHECK(parse_listen("Listen=0.0.0.0:8000 (Stream)\n"
                     "Listen=[::]:9000 (Stream)\n"
                     "Listen=[::]:53 (Datagram)\n"
                     "Listen=/run/a.sock (Stream)\n"
                     "Accept=no\n") ==
        Endpoints{ipv4_endpoint({0, 0, 0, 0}, 8000), {.port = 9000}});
  CHECK(parse_listen("").empty());
}

TEST_CASE("systemctl is asked for the .socket units of a unit alone") {
  FakeRunner runner;
  const Systemd systemd(runner, {.directory = "/"});
  systemd.held_for({.triggered_by = {"a.timer", "a.path"}});
  CHECK(runner.asked.empty());
  runner.answer("b.socket", printed("Listen=0.0.0.0:80 (Stream)\n"));
  CHECK(systemd.held_for({.triggered_by = {"a.timer", "b.socket"}}) ==
        Endpoints{ipv4_endpoint({0, 0, 0, 0}, 80)});
  CHECK(runner.lines() ==
        std::vector<std::string>{"systemctl show --property=Listen b.socket"});
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
  systemd.restart("a.service", {});
  systemd.state_of("a.service");
  CHECK(runner.lines() ==
        std::vector<std::string>{
            "systemctl reset-failed a.service", "systemctl restart a.service",
            "systemctl show --property=ActiveState,SubState,Result,"
            "InvocationID,MainPID,NRestarts,LoadState,ControlGroup,"
            "TriggeredBy,ActiveEnterTimestampMonotonic,CanReload,"
            "EnvironmentFiles,"
            "FragmentPath,DropInPaths a.service"});
}

// Restarts a unit; that ends so, and the unit is shown so.
void restart(const CommandResult& result,
             const CommandResult& shown = printed(up)) {
  FakeRunner runner;
  runner.answer("systemctl restart", result);
  runner.answer("systemctl show", shown);
  Systemd(runner, {.directory = "/"})
      .restart("a.service", {.invocation_id = "0a1b"});
}

const CommandResult start_limit = failed(1, "start limit hit\n");

// `up`, in another invocation.
CommandResult started_anew() {
  return printed(without("InvocationID") + "InvocationID=2c3d\n");
}

TEST_CASE("a unit that systemd starts again and again is stopped first") {
  for (const UnitState& before :
       {UnitState{.active_state = "activating", .sub_state = "auto-restart"},
        UnitState{.active_state = "active", .restarts = 1}}) {
    FakeRunner runner;
    Systemd(runner, {}).restart("a.service", before);
    CHECK(runner.lines() ==
          std::vector<std::string>{"systemctl stop a.service",
                                   "systemctl reset-failed a.service",
                                   "systemctl restart a.service"});
  }
}

TEST_CASE("a restart that fails says where to look") {
  const auto error = error_of<Error>([] { restart(start_limit); });
  CHECK(error.what() ==
        std::string("restarting a.service failed: systemctl restart a.service "
                    "exited with code 1\nstart limit hit"));
  CHECK(error.advice() ==
        "look at: systemctl status a.service; journalctl -u a.service");
}

TEST_CASE("a service that was started and failed is its commit's") {
  const auto error =
      error_of<ServiceDown>([] { restart(start_limit, started_anew()); });
  CHECK(contains(error.what(), "start limit hit"));
  CHECK(contains(*error.advice(), "systemctl status a.service"));
}

TEST_CASE("a restart that starts nothing is the host's failure") {
  const CommandResult never_started =
      printed(without("InvocationID") + "InvocationID=\n");
  const CommandResult hung = {.status = {.signal = 15, .timed_out = true}};
  CHECK_THROWS_AS(restart(start_limit), CommandError);
  CHECK_THROWS_AS(restart(start_limit, never_started), CommandError);
  CHECK_THROWS_AS(restart(start_limit, failed(1, "no bus\n")), CommandError);
  CHECK_THROWS_AS(restart(hung, started_anew()), CommandError);
}

// True when it throws an error that is not the service's.
template <typename Function>
bool is_of_the_host(const Function& function) {
  try {
    function();
  } catch (const ServiceDown&) {
    return false;
  } catch (const CommandError&) {
    return true;
  }
  return false;
}

// Reloads a unit; that ends so, and this is what systemd tells of it.
void reload(const CommandResult& result, const std::string& told) {
  FakeRunner runner;
  runner.answer("systemctl reload a.service", result);
  runner.answer("systemctl show --property=ReloadResult a.service",
                printed(told));
  Systemd(runner, {.directory = "/"}).reload("a.service");
}

TEST_CASE("a reload that fails tells whose failure it is") {
  const CommandResult no = failed(1, "no\n");
  CHECK_NOTHROW(reload({}, "ReloadResult=success\n"));
  CHECK_THROWS_AS(reload(no, "ReloadResult=exit-code\n"), ServiceDown);
  for (const char* told : {"ReloadResult=success\n", ""}) {
    CHECK(is_of_the_host([&] { reload(no, told); }));
  }
}

}  // namespace
}  // namespace deployment
