#include "lib/base/signals.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "lib/base/time.hpp"
#include "lib/base/watchdog.hpp"

namespace deployment {
namespace {

constexpr std::chrono::nanoseconds longest_silence = std::chrono::seconds(1);

volatile std::sig_atomic_t raised = 0;

void raise_flag(int signal) {
  raised = signal;
}

void wake(int /*signal*/) {}

bool is_ignored(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

void handle(int signal, void (*handler)(int), sigset_t& blocked) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
  sigaddset(&blocked, signal);
}

sigset_t block_and_handle() {
  sigset_t blocked;
  sigemptyset(&blocked);
  handle(SIGCHLD, wake, blocked);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    if (!is_ignored(signal)) {
      handle(signal, raise_flag, blocked);
    }
  }
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t before;
  sigprocmask(SIG_BLOCK, &blocked, &before);
  sigdelset(&before, SIGCHLD);
  return before;
}

}  // namespace

std::string Interrupted::text() const {
  return fmt::format("interrupted by SIG{}", sigabbrev_np(signal_));
}

void catch_signals() {
  wait_mask();
}

int termination_signal() {
  return raised;
}

const sigset_t& wait_mask() {
  static const sigset_t mask = block_and_handle();
  return mask;
}

void throw_if_interrupted() {
  if (raised != 0) {
    throw Interrupted(raised);
  }
}

void wait_for(std::chrono::milliseconds duration) {
  const auto deadline = std::chrono::steady_clock::now() + duration;
  for (;;) {
    throw_if_interrupted();
    touch_watchdog();
    const std::chrono::nanoseconds left =
        deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) {
      return;
    }
    const timespec timeout = to_timespec(std::min(left, longest_silence));
    ppoll(nullptr, 0, &timeout, &wait_mask());
  }
}

}  // namespace deployment
