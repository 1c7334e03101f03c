#include "lib/interrupt.hpp"

#include <poll.h>

#include <initializer_list>

#include "lib/error.hpp"

namespace deployment {
namespace {

volatile std::sig_atomic_t raised = 0;
sigset_t mask_before;

void raise_flag(int signal) {
  raised = signal;
}

}  // namespace

void catch_termination() {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) {
      struct sigaction action {};
      action.sa_handler = raise_flag;
      sigaction(signal, &action, nullptr);
      sigaddset(&blocked, signal);
    }
  }
  sigprocmask(SIG_BLOCK, &blocked, &mask_before);
  std::signal(SIGPIPE, SIG_IGN);
}

int termination_signal() {
  return raised;
}

const sigset_t& wait_mask() {
  return mask_before;
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
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) {
      return;
    }
    const auto nanoseconds =
        std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    const timespec timeout{.tv_sec = nanoseconds / 1'000'000'000,
                           .tv_nsec = nanoseconds % 1'000'000'000};
    ppoll(nullptr, 0, &timeout, &wait_mask());
  }
}

}  // namespace deployment
