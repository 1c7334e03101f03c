// The errors that stop a run, and the one place that names an errno.
#pragma once

#include <cerrno>
#include <optional>
#include <system_error>

namespace deployment {

// Exit codes of the program; 75 is EX_TEMPFAIL of sysexits(3).
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_locked = 75;

// This run cannot go on. what() says what was being done and how it ended,
// advice() what a person does about it; either may have several lines.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what,
                 std::optional<std::string> advice = {},
                 int exit_code = exit_failed)
      : std::runtime_error(what),
        advice_(std::move(advice)),
        exit_code_(exit_code) {}

  const std::optional<std::string>& advice() const { return advice_; }
  int exit_code() const { return exit_code_; }

 private:
  std::optional<std::string> advice_;
  int exit_code_;
};

// The command line or a configuration file says something it cannot say.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& what) : Error(what, {}, exit_usage) {}
};

// "No such file or directory" for ENOENT, and so on.
inline std::string errno_text(int error_number) {
  return std::generic_category().message(error_number);
}

// Throws Error: "cannot ACTION: TEXT OF errno".
[[noreturn]] inline void throw_errno(const std::string& action) {
  throw Error("cannot " + action + ": " + errno_text(errno));
}

}  // namespace deployment
