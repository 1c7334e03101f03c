#include "lib/process/command.hpp"

#include <fmt/format.h>

#include <cstring>

#include "lib/base/text.hpp"
#include "lib/base/time.hpp"

namespace deployment {
namespace {

constexpr std::size_t tail_lines = 20;

std::string failure_text(const Command& command, const CommandResult& result) {
  std::string text =
      fmt::format("{} failed: {} {}", command.purpose, describe(command),
                  describe(result.status, command));
  const std::string_view stream =
      trimmed(result.err).empty() ? result.out : result.err;
  const std::string_view last = tail(stream, tail_lines);
  if (!last.empty()) {
    text += fmt::format("\n{}", last);
  }
  return text;
}

}  // namespace

std::string describe(const Command& command) {
  std::string text = quoted(command.program);
  for (const std::string& argument : command.arguments) {
    text += ' ' + quoted(argument);
  }
  return text;
}

std::string describe(const ExitStatus& status, const Command& command) {
  if (status.timed_out) {
    return fmt::format("did not end within {} and was killed",
                       describe_duration(command.context.timeout));
  }
  if (status.signal != 0) {
    return fmt::format("was killed by signal {} ({})", status.signal,
                       strsignal(status.signal));
  }
  if (status.dropped != 0) {
    return fmt::format("printed more than {} MiB",
                       command.context.longest_answer >> 20);
  }
  return fmt::format("exited with code {}", status.code);
}

CommandError::CommandError(const Command& command, const CommandResult& result,
                           const std::optional<std::string>& advice)
    : Error(failure_text(command, result), advice) {}

bool succeeded(const Results& results) {
  return results.empty() || results.back().status.success();
}

void require_success(std::span<const Sequence> sequences,
                     std::span<const Results> results) {
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (!succeeded(results[i])) {
      throw CommandError(sequences[i][results[i].size() - 1],
                         results[i].back());
    }
  }
}

std::vector<CommandResult> CommandRunner::run_all(
    std::span<const Command> commands) {
  std::vector<Sequence> sequences;
  for (const Command& command : commands) {
    sequences.push_back({command});
  }
  Results results;
  for (Results& result : run_sequences(sequences)) {
    results.push_back(std::move(result.front()));
  }
  return results;
}

CommandResult CommandRunner::run(const Command& command) {
  return std::move(run_all({&command, 1}).front());
}

CommandResult CommandRunner::run_checked(const Command& command) {
  CommandResult result = run(command);
  if (!result.status.success()) {
    throw CommandError(command, result);
  }
  return result;
}

}  // namespace deployment
