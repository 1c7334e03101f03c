// run-command PROGRAM [ARGUMENT]...: runs it by ProcessRunner, for tests that
// send signals to the run itself. Exits as the command or the Error says.
#include <cstdio>

#include "lib/base/signals.hpp"
#include "lib/process/runner.hpp"

int main(int /*argc*/, char* argv[]) {
  using namespace deployment;
  Command command = {.purpose = "testing",
                     .program = argv[1],
                     .context = {.directory = "/",
                                 .variables = {{"PATH", "/usr/bin:/bin"}},
                                 .timeout = std::chrono::seconds(60)}};
  for (char** argument = argv + 2; *argument != nullptr; ++argument) {
    command.arguments.emplace_back(*argument);
  }
  Log log(stderr, Log::Target::plain, false);
  try {
    return ProcessRunner(log).run(command).status.code;
  } catch (const Interrupted& interruption) {
    return interruption.exit_code();
  } catch (const Error& error) {
    return error.exit_code();
  }
}
