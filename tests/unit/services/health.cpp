#include "lib/services/health.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

constexpr const char* url = "http://localhost:1/health";

std::optional<std::string> ask(FakeRunner& curl) {
  return ask_health(curl, {.directory = "/", .timeout = 3s}, url);
}

std::optional<std::string> trouble_of(const CommandResult& result) {
  FakeRunner curl;
  curl.answer("curl", result);
  return ask(curl);
}

TEST_CASE("asks once, without a proxy, within the time that it has") {
  FakeRunner curl;
  CHECK(ask(curl) == std::nullopt);
  CHECK(curl.lines() ==
        Lines{"curl --silent --show-error --fail --output /dev/null --noproxy "
              "'*' -- http://localhost:1/health"});
  CHECK(curl.asked.front().context.timeout == 3s);
  CHECK(curl.asked.front().context.directory == "/");
}

TEST_CASE("tells in one line why a service does not answer") {
  struct Case {
    CommandResult result;
    std::string trouble;
  };
  for (const Case& c : {
           Case{failed(7, "curl: (7) refused\n"), "curl: (7) refused"},
           Case{failed(22, "a warning\ncurl: (22) error: 503\n"),
                "curl: (22) error: 503"},
           Case{failed(6), "exited with code 6"},
           Case{{.status = {.signal = 15, .timed_out = true}},
                "did not end within 3.0 s and was killed"},
           Case{{.status = {.signal = 9}}, "was killed by signal 9 (Killed)"},
       }) {
    CHECK(trouble_of(c.result) == c.trouble);
  }
}

TEST_CASE("believes an answer although curl warned") {
  CHECK(trouble_of({.out = "", .err = "curl: a warning\n"}) == std::nullopt);
}

}  // namespace
}  // namespace deployment
