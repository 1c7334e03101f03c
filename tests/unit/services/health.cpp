#include "lib/services/health.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

const Component by_address = {.name = "web",
                              .directory = "front",
                              .health_check = "https://localhost:1/health"};
const Component by_command = {.name = "web",
                              .directory = "front",
                              .health_command = "./check 'a b' | grep well"};

std::optional<std::string> ask(FakeRunner& runner, const Component& component) {
  return ask_health(runner, {.directory = "/app", .timeout = 3s}, component);
}

std::optional<std::string> trouble_of(const Component& component,
                                      const CommandResult& result) {
  FakeRunner runner([&](const Command&) { return result; });
  return ask(runner, component);
}

TEST_CASE("asks once, without a proxy, within the time that it has") {
  FakeRunner curl([](const Command&) { return printed("200"); });
  CHECK(ask(curl, by_address) == std::nullopt);
  CHECK(curl.lines() ==
        Lines{"curl --silent --show-error --output /dev/null --write-out "
              "'%{http_code}' --noproxy '*' -- https://localhost:1/health"});
  CHECK(curl.asked.front().context.timeout == 3s);
  CHECK(curl.asked.front().context.directory == "/app");
}

TEST_CASE("takes the statuses that it is to take") {
  Component component = by_address;
  for (const char* status : {"200", "204", "302", "399"}) {
    CHECK(trouble_of(component, printed(status)) == std::nullopt);
  }
  CHECK(trouble_of(component, printed("503")) ==
        "https://localhost:1/health answers 503, and not 200-399");
  component.health_status = {{.first = 401, .last = 401}};
  CHECK(trouble_of(component, printed("401")) == std::nullopt);
  CHECK(trouble_of(component, printed("200")) ==
        "https://localhost:1/health answers 200, and not 401");
}

TEST_CASE("tells in one line why a service does not answer") {
  struct Case {
    CommandResult result;
    std::string trouble;
  };
  for (const Case& c : {
           Case{failed(7, "curl: (7) refused\n"), "curl: (7) refused"},
           Case{failed(52, "a warning\ncurl: (52) empty\n"),
                "curl: (52) empty"},
           Case{failed(28), "exited with code 28"},
           Case{{.status = {.signal = 15, .timed_out = true}},
                "did not end within 3.0 s and was killed"},
           Case{printed("nothing"), "exited with code 0"},
       }) {
    CHECK(trouble_of(by_address, c.result) ==
          "https://localhost:1/health does not answer: " + c.trouble);
  }
}

TEST_CASE("believes an answer although curl warned") {
  CHECK(trouble_of(by_address, {.out = "200", .err = "curl: a warning\n"}) ==
        std::nullopt);
}

TEST_CASE("a question that curl cannot ask is no answer") {
  for (const int code : {1, 2, 3, 6, 60, 77}) {
    CHECK_THROWS_AS(trouble_of(by_address, failed(code, "curl: no\n")),
                    CommandError);
  }
  CHECK_THROWS_AS(trouble_of(by_address, {.status = {.signal = 9}}),
                  CommandError);
}

TEST_CASE("runs a command by a shell, in the component's folder") {
  FakeRunner runner;
  CHECK(ask(runner, by_command) == std::nullopt);
  REQUIRE(runner.asked.size() == 1);
  const Command& command = runner.asked.front();
  CHECK(command.program == "sh");
  CHECK(command.arguments == Words{"-c", "./check 'a b' | grep well"});
  CHECK(command.context.directory == "/app/front");
  CHECK(command.context.timeout == 3s);
}

TEST_CASE("tells in one line why a command fails") {
  struct Case {
    CommandResult result;
    std::string trouble;
  };
  for (const Case& c : {
           Case{failed(1, "first\nno database\n"), "no database"},
           Case{{.status = {.code = 2}, .out = "on its output\n"},
                "on its output"},
           Case{failed(3), "exited with code 3"},
           Case{{.status = {.signal = 15, .timed_out = true},
           .err = "waiting\n"},
                "did not end within 3.0 s and was killed"},
       }) {
    CHECK(trouble_of(by_command, c.result) ==
          "its health command fails: " + c.trouble);
  }
}

TEST_CASE("a command that cannot be run says nothing of the service") {
  for (const int code : {126, 127}) {
    CHECK_THROWS_AS(trouble_of(by_command, failed(code, "not found\n")),
                    CommandError);
  }
}

TEST_CASE("asks the address before it runs the command, if it has both") {
  Component both = by_address;
  both.health_command = by_command.health_command;
  FakeRunner runner([](const Command& command) {
    return command.program == "curl" ? printed("200") : failed(1, "no\n");
  });
  CHECK(ask(runner, both) == "its health command fails: no");
  runner.answer("curl", printed("500"));
  runner.asked.clear();
  CHECK(contains(*ask(runner, both), "answers 500"));
  CHECK(runner.asked.size() == 1);
}

TEST_CASE("looks for curl only where an address is to be asked") {
  FakeRunner runner;
  require_health_checks(runner, {.directory = "/app"}, {by_command, {}});
  CHECK(runner.asked.empty());
  require_health_checks(runner, {.directory = "/app"},
                        {by_command, by_address});
  CHECK(runner.lines() == Lines{"curl --version"});
  runner.answer("curl", failed(127));
  CHECK_THROWS_AS(
      require_health_checks(runner, {.directory = "/app"}, {by_address}),
      CommandError);
}

}  // namespace
}  // namespace deployment
