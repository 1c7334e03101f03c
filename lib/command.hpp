// What runs outside this process, and how it ended.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/error.hpp"
#include "lib/user.hpp"

namespace deployment {

using Environment = std::map<std::string, std::string, std::less<>>;

// One program to run. It gets an argv array and never a shell, /dev/null as
// standard input, a session of its own, and nothing of this process but what
// is named here.
struct Command {
  std::string purpose = {};  // "asking origin for prod", for errors
  std::string program = {};  // looked up in PATH of `environment`
  std::vector<std::string> arguments = {};
  std::filesystem::path directory = {};
  Environment environment = {};
  std::optional<User> user = {};  // nullopt: who this process is
  std::chrono::milliseconds timeout{};
  // Called with each line of both streams as it comes, for a command whose
  // output is worth seeing; a query's output is only kept.
  std::function<void(std::string_view)> on_line = {};
};

// "npm install --no-save", quoted where a shell would need it, for people.
std::string describe(const Command& command);

// How a process ended.
struct ExitStatus {
  int code = 0;    // exit code when signal is 0
  int signal = 0;  // the signal that ended it
  bool timed_out = false;

  bool success() const { return code == 0 && signal == 0 && !timed_out; }
};

// "exited with code 1", "was killed by signal 9 (Killed)", "did not end within
// 2 min 0 s and was killed".
std::string describe(const ExitStatus& status, const Command& command);

struct CommandResult {
  ExitStatus status;
  std::string out;
  std::string err;
  std::chrono::milliseconds duration{};
};

// A command that ran and did not succeed.
class CommandError : public Error {
 public:
  CommandError(const Command& command, const CommandResult& result,
               const std::string& advice = {});
};

// Runs commands. Tests have a runner of their own that records.
class CommandRunner {
 public:
  virtual ~CommandRunner() = default;

  // Starts all at once, waits for all, and returns results in their order.
  // Throws Error when one cannot be started at all (no such program, no such
  // directory) and Interrupted on SIGTERM and SIGINT; none is left running.
  virtual std::vector<CommandResult> run_all(
      std::span<const Command> commands) = 0;

  CommandResult run(const Command& command);

  // Throws CommandError unless the command succeeds.
  CommandResult run_checked(const Command& command);
};

}  // namespace deployment
