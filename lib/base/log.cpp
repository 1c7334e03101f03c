#include "lib/base/log.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "lib/base/journal_socket.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

// By the number of the level.
constexpr std::array prefixes = {
    "", "", "critical: ", "error: ", "warning: ", "", "", ""};

constexpr const char* clear_line = "\r\x1b[K";

}  // namespace

void print(const std::string& text) {
  if ((std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) &&
      errno != EPIPE) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot write to standard output");
  }
}

Log::Target Log::target_of(std::FILE* stream) {
  const char* journal = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (journal != nullptr && fstat(fileno(stream), &status) == 0 &&
      fmt::format("{}:{}", status.st_dev, status.st_ino) == journal) {
    return Target::journal;
  }
  return isatty(fileno(stream)) == 1 ? Target::terminal : Target::plain;
}

Log::Log(std::FILE* stream, Target target, bool verbose)
    : stream_(stream), target_(target), verbose_(verbose) {}

void Log::write(Level level, std::string_view text) {
  if (level == Level::debug && !verbose_) {
    return;
  }
  clear_activity();
  std::fputs(lines(level, text).c_str(), stream_);
  std::fflush(stream_);
  copy(level, text);
}

void Log::print_result(const std::string& text) {
  print(text);
  copy(Level::info, text);
}

void Log::copy(Level level, std::string_view text) {
  if (!journal_) {
    return;
  }
  for (const std::string_view line : split(text, '\n')) {
    journal_->send(static_cast<int>(level), line);
  }
}

std::string Log::last_words(std::string_view text) const {
  return (target_ == Target::terminal ? clear_line : "") +
         lines(Level::error, text);
}

void Log::show_activity(std::string_view activity, std::chrono::seconds age) {
  if (target_ != Target::terminal) {
    return;
  }
  clear_activity();
  std::fputs(
      fmt::format("  ... {} ({} s)", escaped(activity), age.count()).c_str(),
      stream_);
  std::fflush(stream_);
  activity_shown_ = true;
}

void Log::clear_activity() {
  if (activity_shown_) {
    std::fputs(clear_line, stream_);
    activity_shown_ = false;
  }
}

std::string Log::lines(Level level, std::string_view text) const {
  const auto number = static_cast<std::size_t>(level);
  const std::string prefix = target_ == Target::journal
                                 ? fmt::format("<{}>", number)
                                 : prefixes.at(number);
  std::string lines;
  for (const std::string_view line : split(text, '\n')) {
    lines += prefix + escaped(line) + '\n';
  }
  return lines;
}

std::string invocation_id() {
  const char* id = std::getenv("INVOCATION_ID");
  const bool is_in_journal =
      Log::target_of(stderr) == Log::Target::journal && id != nullptr;
  return is_in_journal && is_plain_name(id) ? id : "";
}

}  // namespace deployment
