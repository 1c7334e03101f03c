#include "lib/base/watchdog.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <tuple>
#include <utility>

#include "lib/base/error.hpp"

namespace deployment {
namespace {

constexpr std::chrono::seconds tick(1);
constexpr std::size_t stack_size = 64 << 10;

std::atomic<unsigned> signs_of_life = 0;

unsigned life() {
  return signs_of_life.load(std::memory_order_relaxed);
}

}  // namespace

void touch_watchdog() {
  signs_of_life.fetch_add(1, std::memory_order_relaxed);
}

// std::thread would take a whole stack and, freeing its arguments in the
// thread, a second heap.
Watchdog::Watchdog(std::chrono::seconds limit, std::string last_words)
    : limit_(limit), last_words_(std::move(last_words)) {
  sigset_t all;
  sigfillset(&all);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_size);
  // Signals are for the main thread.
  pthread_attr_setsigmask_np(&attributes, &all);
  const auto run = [](void* watchdog) -> void* {
    static_cast<Watchdog*>(watchdog)->watch();
    return nullptr;
  };
  const int error = pthread_create(&thread_, &attributes, run, this);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    throw Error("cannot start a thread: " + errno_text(error));
  }
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stop_.notify_one();
  pthread_join(thread_, nullptr);
}

void Watchdog::set(std::chrono::seconds limit, std::string last_words) {
  const std::lock_guard lock(mutex_);
  limit_ = limit;
  last_words_ = std::move(last_words);
  touch_watchdog();
}

// A wait that a signal interrupts goes on to its end: the C library makes all
// threads change their user by one (ActingAs).
void Watchdog::watch() {
  std::unique_lock lock(mutex_);
  unsigned seen = life();
  std::chrono::seconds silence(0);
  while (!stop_.wait_for(lock, tick, [this] { return stopped_; })) {
    const unsigned now = life();
    silence = now == seen ? silence + tick : silence.zero();
    seen = now;
    if (silence >= limit_) {
      end_program();
    }
  }
}

// Uses nothing that the main thread may hold while it hangs: no memory of the
// heap, no stream. The words can hang too, at a reader that does not read or a
// log on the same file system: the wait ends after a second, and SIGALRM ends
// the program after two.
void Watchdog::end_program() const {
  std::signal(SIGALRM, SIG_DFL);
  sigset_t alarm_alone;
  sigemptyset(&alarm_alone);
  sigaddset(&alarm_alone, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm_alone, nullptr);
  alarm(2);
  pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&ready, 1, 1000) == 1) {
    std::ignore =
        ::write(STDERR_FILENO, last_words_.data(), last_words_.size());
  }
  _exit(exit_failed);
}

}  // namespace deployment
