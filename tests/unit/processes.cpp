#include "tests/unit/processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds patience{30'000};

// Returns true when `fd` can be read within `time`.
bool has_event(int fd, milliseconds time) {
  pollfd entry = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, static_cast<int>(time.count())) == 1;
}

Descriptor pidfd_of(pid_t pid) {
  return Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

Fifo::Fifo(const std::filesystem::path& path) : path_(path) {
  REQUIRE(mkfifo(path_.c_str(), 0666) == 0);
  REQUIRE(chmod(path_.c_str(), 0666) == 0);
  listen();
}

// A new reader is told only of the ends of later writers.
void Fifo::listen() {
  fd_ = Descriptor(open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(fd_.is_open());
}

bool Fifo::read_some() {
  REQUIRE(has_event(fd_.get(), patience));
  std::array<char, 4096> buffer{};
  const ssize_t count = read(fd_.get(), buffer.data(), buffer.size());
  REQUIRE(count >= 0);
  text_.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

void Fifo::wait_for_text(const std::string& text) {
  while (!contains(text_, text)) {
    if (!read_some()) {
      listen();
    }
  }
}

void Fifo::wait_for_end() {
  while (read_some()) {
  }
}

Helper::Helper(const std::function<int()>& work) : pid_(fork()) {
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    try {
      _exit(work());
    } catch (...) {
      _exit(99);
    }
  }
}

Helper::~Helper() {
  if (pid_ > 0) {
    kill(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

void Helper::kill(int signal) const {
  REQUIRE(::kill(pid_, signal) == 0);
}

bool Helper::ends_within(milliseconds time) const {
  return has_event(pidfd_of(pid_).get(), time);
}

int Helper::wait() {
  REQUIRE(ends_within(patience));
  int status = 0;
  waitpid(std::exchange(pid_, 0), &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void set_variables(const Variables& variables) {
  for (const auto& [name, value] : variables) {
    setenv(name.c_str(), value.c_str(), 1);
  }
}

Family::Family(const std::filesystem::path& pipe, const Variables& variables)
    : fifo_(pipe), parent_([&] { return live(variables); }) {
  fifo_.wait_for_text("both live");
}

// The parent is not reaped yet: its group cannot have become another one.
Family::~Family() {
  ::kill(-parent_.pid(), SIGKILL);
}

bool Family::parent_lives() const {
  return !parent_.ends_within(milliseconds(0));
}

// Both hold the pipe, so that its end is the end of both. Neither becomes
// another program after it said that it lives: it would have no variables for a
// moment.
int Family::live(const Variables& variables) const {
  setpgid(0, 0);
  set_variables(variables);
  const std::string script =
      "exec 3>'" + fifo_.path() +
      "'; sh -c 'echo both live >&3; kill -STOP $$' & wait";
  execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
  return 98;
}

}  // namespace deployment
