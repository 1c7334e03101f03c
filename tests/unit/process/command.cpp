#include "lib/process/command.hpp"

#include <csignal>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

TEST_CASE("a command is described as a shell would take it") {
  CHECK(describe(Command{.program = "git", .arguments = {"status", "-z"}}) ==
        "git status -z");
  CHECK(describe(Command{.program = "a b",
                         .arguments = {"", "it's", "$(x)", "*", "tä", "\n"}}) ==
        "'a b' '' 'it'\\''s' '$(x)' '*' 'tä' '\n'");
}

TEST_CASE("how a command ended is told in words") {
  const Command command = {.program = "x", .context = {.timeout = 120s}};
  CHECK(describe(ExitStatus{.code = 3}, command) == "exited with code 3");
  CHECK(describe(ExitStatus{.signal = SIGKILL}, command) ==
        "was killed by signal 9 (Killed)");
  CHECK(describe(ExitStatus{.signal = SIGTERM, .timed_out = true}, command) ==
        "did not end within 2 min 0 s and was killed");
  CHECK(describe(ExitStatus{.dropped = 5 << 20}, command) ==
        "printed 5242880 bytes, more than 4 MiB");
}

TEST_CASE("only code 0 without signal and in time is a success") {
  CHECK(ExitStatus{}.success());
  CHECK_FALSE(ExitStatus{.code = 1}.success());
  CHECK_FALSE(ExitStatus{.signal = SIGTERM}.success());
  CHECK_FALSE(ExitStatus{.timed_out = true}.success());
}

CommandError failure(const std::string& out, const std::string& err) {
  return {{.purpose = "installing x", .program = "npm"},
          {.status = {.code = 1}, .out = out, .err = err},
          "do this"};
}

TEST_CASE("a failure says what was done, by what, how it ended and why") {
  const CommandError error = failure("output\n", "npm ERR! no\n");
  CHECK(error.what() ==
        std::string("installing x failed: npm exited with code 1\n"
                    "npm ERR! no"));
  CHECK(error.advice() == "do this");
}

TEST_CASE("a silent standard error leaves the word to standard output") {
  CHECK(failure("all there is\n", " \n").what() ==
        std::string("installing x failed: npm exited with code 1\n"
                    "all there is"));
  CHECK(failure("", "").what() ==
        std::string("installing x failed: npm exited with code 1"));
}

TEST_CASE("a long standard error is cut to its last twenty lines") {
  std::string err;
  for (int i = 1; i <= 100; ++i) {
    err += "line " + std::to_string(i) + "\n";
  }
  const std::string what = failure("", err).what();
  CHECK(contains(what, "\nline 81\n"));
  CHECK(contains(what, "\nline 100"));
  CHECK_FALSE(contains(what, "line 80\n"));
}

TEST_CASE("what is left out before the end of a stream is counted") {
  const CommandError error = {{.purpose = "installing x", .program = "npm"},
                              {.status = {.code = 1},
                               .err = "npm ERR! no\n",
                               .err_dropped = 399 << 20}};
  CHECK(error.what() ==
        std::string("installing x failed: npm exited with code 1\n"
                    "… 399 MiB before are left out\n"
                    "npm ERR! no"));
}

TEST_CASE("an end without lines is cut, too") {
  const std::string what = failure("", std::string(1 << 20, '\0')).what();
  CHECK(what.size() < 70'000);
}

TEST_CASE("a checked command that fails throws") {
  FakeRunner runner([](const Command& command) {
    return CommandResult{.status = {.code = command.program == "no" ? 1 : 0}};
  });
  CHECK_THROWS_AS(runner.run_checked({.program = "no"}), CommandError);
  CHECK_NOTHROW(runner.run_checked({.program = "yes"}));
  CHECK(runner.run({.program = "no"}).status.code == 1);
}

TEST_CASE("of several sequences the first failure is told") {
  FakeRunner runner([](const Command& command) {
    return CommandResult{
        .status = {.code = command.program.starts_with("bad") ? 1 : 0}};
  });
  const std::vector<Sequence> sequences = {
      {{.program = "good"}},
      {{.purpose = "one", .program = "bad1"}, {.program = "never"}},
      {{.purpose = "two", .program = "bad2"}}};
  CHECK(message_of<CommandError>([&] {
          require_success(sequences, runner.run_sequences(sequences));
        }) == "one failed: bad1 exited with code 1");
  CHECK_NOTHROW(require_success({}, {}));
}

}  // namespace
}  // namespace deployment
