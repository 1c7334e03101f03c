// Real processes in tests: helpers to start, watch and end them. Every wait is
// for an event and has a deadline.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "lib/base/file.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// A named pipe that processes under test write to. It tells that they came so
// far, and, when the last of them has ended, that they have.
class Fifo {
 public:
  explicit Fifo(const std::filesystem::path& path);

  const std::string& path() const { return path_; }
  const std::string& text() const { return text_; }  // that came so far

  // Fails the test when the text does not come, or the writers do not end, in
  // time.
  void wait_for_text(const std::string& text);
  void wait_for_end();

 private:
  void listen();
  bool read_some();  // false: there is no writer left

  std::string path_;
  Descriptor fd_;
  std::string text_;
};

// A fork of the test that runs `work` and exits with what it returns. It is
// killed and reaped at the end of its life at the latest.
class Helper {
 public:
  explicit Helper(const std::function<int()>& work);
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  pid_t pid() const { return pid_; }
  void kill(int signal) const;

  // Its exit code, or 128 + the signal that ended it.
  int wait();

  // Returns true when it ends within `time`; then wait() tells how.
  bool ends_within(std::chrono::milliseconds time) const;

 private:
  pid_t pid_;
};

// Adds `variables` to those of this process, for the program that the work of a
// Helper becomes.
void set_variables(const Variables& variables);

// A process that has these variables, and a child of it, which both stay until
// they are killed; at the end of its life at the latest.
class Family {
 public:
  Family(const std::filesystem::path& pipe, const Variables& variables);
  ~Family();
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  bool parent_lives() const;

  // Fails the test when one of them does not end in time.
  void wait_for_end() { fifo_.wait_for_end(); }

 private:
  int live(const Variables& variables) const;

  Fifo fifo_;
  Helper parent_;
};

}  // namespace deployment
