#include "lib/checkout/run_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <sstream>

#include "lib/base/error.hpp"
#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/time.hpp"
#include "lib/process/processes.hpp"

namespace deployment {
namespace {

using std::chrono::steady_clock;

// A run that is killed while it starts a command leaves the lock to this child
// until the child dies, too, or begins the command.
constexpr std::chrono::seconds end_of_a_killed_run(5);

Descriptor open_git_directory(const std::filesystem::path& checkout) {
  const std::filesystem::path git = checkout / ".git";
  Descriptor fd(::open(git.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (fd.is_open()) {
    return fd;
  }
  const int reason = errno;
  if (reason == ENOENT && ::access(checkout.c_str(), F_OK) != 0) {
    throw Error(
        fmt::format("the checkout {} is not there", checkout.string()),
        "clone the repository there, or name another folder with --repo-dir");
  }
  throw Error(fmt::format("{} is not a git checkout: cannot open {}: {}",
                          checkout.string(), git.string(), errno_text(reason)),
              "clone the repository there, or name its top folder with "
              "--repo-dir");
}

// When process `pid` started: field 22 of proc(5)'s stat, in clock ticks
// since boot. The command's name, which may hold blanks, ends at the last ')'.
Time start_time(pid_t pid) {
  const std::string line = first_line_of(process_folder(pid) / "stat");
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) {
    fields >> skipped;
  }
  long long ticks = 0;
  fields >> ticks;
  timespec up{};
  clock_gettime(CLOCK_BOOTTIME, &up);
  return now() - std::chrono::seconds(up.tv_sec - ticks / sysconf(_SC_CLK_TCK));
}

// Finds the holder of the lock on `fd` in /proc/locks, whose lines read
// "1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF". The device may be
// another than stat's (btrfs, overlayfs): the inode decides. 0: not visible, as
// is one that has ended, in a container.
pid_t holder_of(int fd) {
  struct stat status {};
  fstat(fd, &status);
  const std::string inode = fmt::format(":{}", status.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream fields(line);
    std::string number, type, kind, mode, place;
    pid_t pid = 0;
    fields >> number >> type >> kind >> mode >> pid >> place;
    if (type == "FLOCK" && place.ends_with(inode) && pid > 0) {
      return pid;
    }
  }
  return 0;
}

bool is_gone(pid_t pid) {
  return pid == 0 || ::access(process_folder(pid).c_str(), F_OK) != 0;
}

std::string describe_holder(pid_t pid) {
  if (is_gone(pid)) {
    return "a command of a run that was killed, or a process that cannot be "
           "seen from here,";
  }
  const std::string name = first_line_of(process_folder(pid) / "comm");
  return fmt::format("{} (process {}) since {}", escaped(name), pid,
                     to_string(start_time(pid)));
}

}  // namespace

Lock::Lock(const std::filesystem::path& checkout, std::chrono::seconds patience)
    : fd_(open_git_directory(checkout)) {
  const auto start = steady_clock::now();
  while (flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      throw_errno(fmt::format("lock {}", (checkout / ".git").string()));
    }
    const pid_t holder = holder_of(fd_.get());
    if (steady_clock::now() - start >=
        (is_gone(holder) ? std::max(patience, end_of_a_killed_run)
                         : patience)) {
      throw Error(fmt::format("another run is active in {}: {} holds the lock",
                              checkout.string(), describe_holder(holder)),
                  "try again later, or wait for it with --wait SECONDS",
                  exit_locked);
    }
    wait_for(std::chrono::milliseconds(50));
  }
}

void require_checkout(const std::filesystem::path& checkout) {
  open_git_directory(checkout);
}

}  // namespace deployment
