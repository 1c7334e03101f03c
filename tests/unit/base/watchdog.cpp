#include "lib/base/watchdog.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>

#include "lib/base/error.hpp"
#include "lib/base/signals.hpp"
#include "lib/base/user.hpp"
#include "tests/unit/processes.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

const std::string words = "error: it hangs\nerror: what to do: look at it\n";

// A file whose opening never returns.
class Trap {
 public:
  Trap() { REQUIRE(mkfifo(path_.c_str(), 0600) == 0); }

  // Returns 98 if it does.
  int fall_in() const {
    open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    return 98;
  }

 private:
  Folder folder_;
  std::string path_ = folder_ / "fifo";
};

// Returns a pipe that holds as much as it can, and its other end.
std::array<Descriptor, 2> full_pipe() {
  std::array<int, 2> fds{};
  REQUIRE(pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  const std::string text(4096, 'x');
  while (write(fds[1], text.data(), text.size()) > 0) {
  }
  REQUIRE(fcntl(fds[1], F_SETFL, 0) == 0);
  return {Descriptor(fds[1]), Descriptor(fds[0])};
}

TEST_CASE("a main thread that hangs is ended, and says so") {
  const Folder folder;
  Fifo err(folder / "err");
  const Trap trap;
  const auto start = steady_clock::now();
  Helper helper([&] {
    dup2(open(err.path().c_str(), O_WRONLY), STDERR_FILENO);
    const Watchdog watchdog(2s, words);
    return trap.fall_in();
  });
  err.wait_for_text(words);
  CHECK(helper.wait() == exit_failed);
  CHECK(steady_clock::now() - start >= 2s);
}

TEST_CASE("it ends by the limit and with the words that were set last") {
  const Folder folder;
  Fifo err(folder / "err");
  const Trap trap;
  Helper helper([&] {
    dup2(open(err.path().c_str(), O_WRONLY), STDERR_FILENO);
    Watchdog watchdog(1h, "not these");
    watchdog.set(1s, words);
    return trap.fall_in();
  });
  err.wait_for_text(words);
  CHECK(helper.wait() == exit_failed);
}

TEST_CASE("one that gives signs of life is left alone") {
  Helper helper([] {
    const Watchdog watchdog(2s, words);
    for (int i = 0; i < 40; ++i) {
      touch_watchdog();
      poll(nullptr, 0, 100);
    }
    return 0;
  });
  CHECK(helper.wait() == 0);
}

TEST_CASE("a wait is a sign of life") {
  Helper helper([] {
    const Watchdog watchdog(3s, words);
    wait_for(5s);
    return 0;
  });
  CHECK(helper.wait() == 0);
}

TEST_CASE("the time in which a process is stopped does not count") {
  const Folder folder;
  Fifo out(folder / "out");
  const std::string go_on = folder / "go-on";
  REQUIRE(mkfifo(go_on.c_str(), 0600) == 0);
  Helper helper([&] {
    const Watchdog watchdog(3s, words);
    const Descriptor fd(open(out.path().c_str(), O_WRONLY));
    touch_watchdog();
    return write(fd.get(), "up", 2) == 2 &&
                   Descriptor(open(go_on.c_str(), O_RDONLY)).is_open()
               ? 0
               : 98;
  });
  out.wait_for_text("up");
  helper.kill(SIGSTOP);
  CHECK_FALSE(helper.ends_within(4s));
  helper.kill(SIGCONT);
  CHECK_FALSE(helper.ends_within(500ms));
  const Descriptor fd(open(go_on.c_str(), O_RDWR));
  CHECK(helper.wait() == 0);
}

TEST_CASE("a reader that does not read keeps nobody alive") {
  const auto [err, reader] = full_pipe();
  const Trap trap;
  Helper helper([&, fd = err.get()] {
    dup2(fd, STDERR_FILENO);
    const Watchdog watchdog(1s, words);
    return trap.fall_in();
  });
  CHECK(helper.wait() == exit_failed);
}

TEST_CASE("nor does a log that hangs like all else") {
  // It says that it takes something, but has room for half of this.
  const auto [err, reader] = full_pipe();
  std::string half(4096, '\0');
  REQUIRE(read(reader.get(), half.data(), half.size()) == 4096);
  const Trap trap;
  Helper helper([&, fd = err.get()] {
    dup2(fd, STDERR_FILENO);
    const Watchdog watchdog(1s, half + half);
    return trap.fall_in();
  });
  CHECK(helper.wait() == 128 + SIGALRM);
}

TEST_CASE("its end takes no time") {
  const auto start = steady_clock::now();
  for (int i = 0; i < 5; ++i) {
    const Watchdog watchdog(1h, words);
  }
  CHECK(steady_clock::now() - start < 1s);
}

TEST_CASE("signals are for the main thread") {
  Helper helper([] {
    const Watchdog watchdog(1h, words);
    sigset_t signal;
    sigemptyset(&signal);
    sigaddset(&signal, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signal, nullptr);
    kill(getpid(), SIGUSR1);
    const timespec second{.tv_sec = 1, .tv_nsec = 0};
    return sigtimedwait(&signal, nullptr, &second) == SIGUSR1 ? 0 : 98;
  });
  CHECK(helper.wait() == 0);
}

TEST_CASE("changes of the user neither stop it nor are stopped by it") {
  if (!is_root()) {
    return;
  }
  const Trap trap;
  const auto start = steady_clock::now();
  Helper helper([&] {
    const Watchdog watchdog(2s, words);
    for (int i = 0; i < 20; ++i) {
      const ActingAs user(find_user("nobody"));
    }
    return trap.fall_in();
  });
  CHECK(helper.wait() == exit_failed);
  CHECK(steady_clock::now() - start >= 2s);
}

}  // namespace
}  // namespace deployment
