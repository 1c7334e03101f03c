// Commands that run outside of this process, and their results.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string_view>

#include "lib/base/directory.hpp"
#include "lib/base/error.hpp"
#include "lib/base/user.hpp"

namespace deployment {

// The variables of a process, by name (environ(7)).
using Variables = std::map<std::string, std::string, std::less<>>;

// Arguments of a program.
using Words = std::vector<std::string>;

// Returns the words in parts that fit on a command line (ARG_MAX).
std::vector<Words> batches_of(const Words& words);

// Returns `first` followed by `second`.
Words joined(Words first, const Words& second);

// Shows a folder or file at another place, in a command's own mount namespace.
// Both are below the context's open folder, are there, are of one type, and
// belong to the command's user or to the owner of that folder.
struct Mount {
  std::filesystem::path source;
  std::filesystem::path target;
  bool read_only = false;

  bool operator==(const Mount&) const = default;
};

// The directory, user, mounts and time that a command gets.
struct Context {
  std::filesystem::path directory = {};  // absolute
  // An open folder that `directory` is, or is below: it is entered from there,
  // so that nobody can put another one in its place. nullptr: by its path.
  std::shared_ptr<const Directory> top = {};
  Variables variables = {};
  std::optional<User> user = {};  // nullopt: the user of this process
  // No program that it starts can gain rights, by a set-user-ID bit for one
  // (PR_SET_NO_NEW_PRIVS of prctl(2)).
  bool no_new_privileges = false;
  // When not empty, the command gets a mount namespace of its own in which
  // these are bound, in order. Needs CAP_SYS_ADMIN, and `top`.
  std::vector<Mount> mounts = {};
  std::chrono::milliseconds timeout{};
  // Bytes of standard output, of which a longer one is a failure. This is room
  // for 70,000 paths of 60 characters, and what is made of it is some times as
  // large.
  std::size_t longest_answer = 4 << 20;
  // Called with each line of both streams as it comes. Set it for a command
  // whose output is worth seeing; the output of a query is only kept.
  std::function<void(std::string_view)> on_line = {};
};

// One program to run. It gets an argv array and never a shell, a process group
// of its own, and nothing of this process but what its context names.
struct Command {
  std::string purpose = {};  // "asking origin for prod", for errors
  std::string program = {};  // looked up in PATH of the context's variables
  Words arguments = {};
  Context context = {};
  std::string input = {};  // on standard input; empty: that is /dev/null
  bool may_fail = false;   // a sequence goes on behind it all the same
};

// "npm install --no-save", quoted where a shell would need it, for people.
std::string describe(const Command& command);

// Bytes that are kept of what is no answer, from the end: of standard error,
// and of both streams of a command whose lines are shown. Twice as many may be.
constexpr std::size_t longest_end = 64 << 10;

// The end of a process.
struct ExitStatus {
  int code = 0;    // exit code when signal is 0
  int signal = 0;  // the signal that ended it
  bool timed_out = false;
  // The length of an answer that was too long, and of which nothing is kept.
  std::size_t dropped = 0;

  bool success() const { return *this == ExitStatus(); }

  bool operator==(const ExitStatus&) const = default;
};

// "exited with code 1", "was killed by signal 9 (Killed)", "did not end within
// 2 min 0 s and was killed".
std::string describe(const ExitStatus& status, const Command& command);

struct CommandResult {
  ExitStatus status = {};
  std::string out = {};
  std::string err = {};
  // Bytes that came before these, and are not kept.
  std::size_t out_dropped = 0;
  std::size_t err_dropped = 0;
};

// A command that ran and did not succeed.
class CommandError : public Error {
 public:
  CommandError(const Command& command, const CommandResult& result,
               const std::optional<std::string>& advice = {});
};

// A command that was not started, since its mounts could not be made.
class MountError : public Error {
 public:
  MountError(const std::string& what, int error_number)
      : Error(what), error_number_(error_number) {}

  int error_number() const { return error_number_; }

 private:
  int error_number_;  // errno(3)
};

// Commands that run one after the other; the first that fails and may not ends
// them.
using Sequence = std::vector<Command>;

// The results of one sequence that was run.
using Results = std::vector<CommandResult>;

bool succeeded(const Results& results);

// Returns true when nothing of the sequence follows these results.
bool ends(const Sequence& sequence, const Results& results);

// Throws CommandError for the first sequence that failed.
void require_success(std::span<const Sequence> sequences,
                     std::span<const Results> results);

// Runs commands. Tests have a runner of their own that records.
class CommandRunner {
 public:
  virtual ~CommandRunner() = default;

  // Runs the sequences at the same time, waits for all, and returns the
  // results of what was run in the same order. Throws Error when a command
  // cannot be started at all (no such program, no such directory) and
  // Interrupted on SIGTERM, SIGINT and SIGHUP; none is left running.
  virtual std::vector<Results> run_sequences(
      std::span<const Sequence> sequences) = 0;

  // Runs all at the same time.
  std::vector<CommandResult> run_all(std::span<const Command> commands);

  CommandResult run(const Command& command);

  // Throws CommandError unless the command succeeds.
  CommandResult run_checked(const Command& command);
};

}  // namespace deployment
