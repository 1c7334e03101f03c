// Helpers of several unit tests.
#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/log.hpp"
#include "lib/model/commit_id.hpp"
#include "lib/process/command.hpp"
#include "tests/catch.hpp"

namespace deployment {

// The commit ids that tests write down: 40 times one digit.
inline std::string id(char digit) {
  return std::string(40, digit);
}
inline CommitId commit(char digit) {
  return *CommitId::parse(id(digit));
}

// JSON as a test can write it: ' stands for ", and <a> for the commit id a.
std::string json(std::string_view text);

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Returns the message of the Exception that `act` throws; the test fails
// without one.
template <typename Exception, typename Act>
std::string message_of(const Act& act) {
  try {
    act();
  } catch (const Exception& error) {
    return error.what();
  }
  FAIL("nothing was thrown");
  return {};
}

template <typename Exception, typename Act>
Exception error_of(const Act& act) {
  try {
    act();
  } catch (const Exception& error) {
    return error;
  }
  FAIL("nothing was thrown");
  std::abort();
}

// The result of a command that printed `out` and succeeded, or failed.
CommandResult printed(std::string out);
CommandResult failed(int code, std::string err = {});

// Does what "rm -rf" in the command's directory does.
CommandResult remove_for_real(const Command& command);

// Returns the answer of `systemctl show` for a unit that runs in a process of
// the test.
std::string running_unit(const std::string& invocation, int restarts = 0);

// Answers commands as the test says and keeps what it was asked. A command that
// the test says nothing about succeeds and prints nothing.
class FakeRunner : public CommandRunner {
 public:
  using Answer = std::function<CommandResult(const Command&)>;

  FakeRunner() = default;
  explicit FakeRunner(Answer answer) : answer_(std::move(answer)) {}

  std::vector<std::vector<CommandResult>> run_sequences(
      std::span<const Sequence> sequences) override;

  // Answers the commands whose line contains `part`. Of several answers that
  // fit, the last one counts.
  void answer(std::string part, Answer answer);
  void answer(std::string part, CommandResult result);

  // Returns the commands that were run, as a person would write them.
  std::vector<std::string> lines() const;
  bool has_run(std::string_view part) const;

  std::vector<Command> asked;

 private:
  CommandResult answer_to(const Command& command) const;

  Answer answer_ = [](const Command&) { return CommandResult{}; };
  std::vector<std::pair<std::string, Answer>> answers_;
};

// Answers `git checkout-index`: writes these files, by path, where it says.
FakeRunner::Answer lays_out(std::map<std::string, std::string> files);

// A folder of the test's own, removed with all that is in it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A log whose lines the test reads.
class TextLog {
 public:
  TextLog();

  std::string text() const;

  Log log;

 private:
  explicit TextLog(std::FILE* file);

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

// True for root. For others it says that the test is skipped.
bool is_root();

// Returns what `act` prints on standard output.
std::string printed_by(const std::function<void()>& act);

void write_file(const std::filesystem::path& path, std::string_view text);
std::string read_file(const std::filesystem::path& path);

// The environment variable `name` has `value` (nullptr: is not set) for the
// life of this.
class Variable {
 public:
  Variable(const char* name, const char* value);
  ~Variable();
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_;
  const char* before_;
  std::string value_before_;
};

}  // namespace deployment
