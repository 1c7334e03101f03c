// Writes on standard output, and levelled lines on standard error.
#pragma once

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace deployment {

// Prints `text` on standard output. A reader that went away, as head(1) does,
// has what it wanted. Throws std::system_error when it cannot be written.
void print(const std::string& text);

// Numbers are those of syslog(3) and of sd-daemon(3)'s line prefix.
enum class Level { critical = 2, error, warning, info = 6, debug };

class JournalSocket;

// Writes whole lines, escaped, so that foreign text can neither move the
// cursor nor forge a line. When the stream is the journal each line begins
// with its level, <3> for an error. On a terminal one transient line below the
// log says what runs now and for how long.
class Log {
 public:
  enum class Target { plain, journal, terminal };

  // Finds out where `stream` leads: $JOURNAL_STREAM names the device and inode
  // of the journal's socket (systemd.exec(5)).
  static Target target_of(std::FILE* stream);

  Log(std::FILE* stream, Target target, bool verbose);

  // One line per line of `text`; Level::debug is written when verbose.
  void write(Level level, std::string_view text);
  void error(std::string_view text) { write(Level::error, text); }
  void warning(std::string_view text) { write(Level::warning, text); }
  void info(std::string_view text) { write(Level::info, text); }
  void debug(std::string_view text) { write(Level::debug, text); }

  // Sends a copy of all that is written from here on to the journal.
  void copy_to(std::shared_ptr<JournalSocket> journal) {
    journal_ = std::move(journal);
  }

  // Prints what a run has found on standard output.
  void print_result(const std::string& text);

  // Returns what error() would write then, for a program that can no longer ask
  // for it.
  std::string last_words(std::string_view text) const;

  // Shows `activity` and its age on a terminal until the next line or the
  // next activity; elsewhere does nothing.
  void show_activity(std::string_view activity, std::chrono::seconds age);

 private:
  void clear_activity();
  std::string lines(Level level, std::string_view text) const;

  void copy(Level level, std::string_view text);

  std::FILE* stream_;
  Target target_;
  bool verbose_;
  bool activity_shown_ = false;
  std::shared_ptr<JournalSocket> journal_ = {};
};

// Returns what systemd calls this run (systemd.exec(5)); empty when its output
// does not go to the journal. A shell may have the variable of another unit.
std::string invocation_id();

}  // namespace deployment
