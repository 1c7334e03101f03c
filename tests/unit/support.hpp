// What several unit tests need.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

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

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What the Exception that `act` throws says; the test fails when it throws
// none.
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

// Answers commands as the test says and keeps what it was asked.
class FakeRunner : public CommandRunner {
 public:
  using Answer = std::function<CommandResult(const Command&)>;

  FakeRunner() = default;
  explicit FakeRunner(Answer answer) : answer_(std::move(answer)) {}

  std::vector<std::vector<CommandResult>> run_sequences(
      std::span<const Sequence> sequences) override;

  // What was run, as a person would write it.
  std::vector<std::string> lines() const;

  std::vector<Command> asked;

 private:
  Answer answer_ = [](const Command&) { return CommandResult{}; };
};

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
