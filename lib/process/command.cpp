#include "lib/process/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "lib/base/text.hpp"
#include "lib/base/time.hpp"

namespace deployment {
namespace {

constexpr std::size_t tail_lines = 20;
constexpr std::size_t longest_batch = 256 << 10;  // well below ARG_MAX

// The last lines of a stream, and how much is left out before them when not all
// of it was kept.
std::string end_of(std::string_view kept, std::size_t dropped) {
  std::string_view last = tail(kept, tail_lines);
  last.remove_prefix(last.size() - std::min(last.size(), longest_end));
  if (last.empty()) {
    return {};
  }
  if (dropped == 0) {
    return fmt::format("\n{}", last);
  }
  dropped += static_cast<std::size_t>(last.data() - kept.data());
  return fmt::format("\n… {} before are left out\n{}", describe_size(dropped),
                     last);
}

std::string failure_text(const Command& command, const CommandResult& result) {
  return fmt::format("{} failed: {} {}{}", command.purpose, describe(command),
                     describe(result.status, command),
                     trimmed(result.err).empty()
                         ? end_of(result.out, result.out_dropped)
                         : end_of(result.err, result.err_dropped));
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
    return fmt::format("printed {} bytes, more than {}", status.dropped,
                       describe_size(command.context.longest_answer));
  }
  return fmt::format("exited with code {}", status.code);
}

CommandError::CommandError(const Command& command, const CommandResult& result,
                           const std::optional<std::string>& advice)
    : Error(failure_text(command, result), advice) {}

bool succeeded(const Results& results) {
  return results.empty() || results.back().status.success();
}

bool ends(const Sequence& sequence, const Results& results) {
  return results.size() == sequence.size() ||
         (!succeeded(results) && !sequence[results.size() - 1].may_fail);
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

std::vector<Words> batches_of(const Words& words) {
  std::vector<Words> batches;
  std::size_t length = 0;
  for (const std::string& word : words) {
    const std::size_t more = word.size() + 1 + sizeof(char*);
    length += more;
    if (batches.empty() || length > longest_batch) {
      batches.emplace_back();
      length = more;
    }
    batches.back().push_back(word);
  }
  return batches;
}

Words joined(Words first, const Words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace deployment
