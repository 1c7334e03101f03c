// Ends a program whose main thread hangs in a call to the system: at a file
// system or a device that does not answer, or because nobody reads what the
// program prints. A call has no deadline of its own, and a signal handler does
// not run in it everywhere; exit_group(2) ends all but an uninterruptible sleep
// (the disk itself is dead).
#pragma once

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

namespace deployment {

// Tells that the main thread goes on. Its waits do, and work of its own that
// may take long.
void touch_watchdog();

// The thread counts seconds that it has run itself: none passes for it while
// the whole program is stopped (Ctrl-Z) or the machine is suspended.
class Watchdog {
 public:
  // With less, a run that works would be ended on a busy machine.
  static constexpr std::chrono::seconds shortest_limit{10};

  // From now on, when touch_watchdog() is not called for `limit`: writes
  // `last_words` on standard error and ends the program with exit_failed.
  // Throws Error when no thread can be started.
  Watchdog(std::chrono::seconds limit, std::string last_words);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Goes on with another limit and other words.
  void set(std::chrono::seconds limit, std::string last_words);

 private:
  void watch();
  [[noreturn]] void end_program() const;

  std::mutex mutex_;  // of all below but the thread
  std::condition_variable stop_;
  bool stopped_ = false;
  std::chrono::seconds limit_;
  std::string last_words_;
  pthread_t thread_{};
};

}  // namespace deployment
