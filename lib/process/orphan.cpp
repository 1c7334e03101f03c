#include "lib/process/orphan.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "lib/base/file.hpp"
#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/time.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/process/processes.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr const char* variable = "DEPLOYMENT_UPDATE_CHECKOUT";

bool has_entry(const fs::path& process, const std::string& entry) {
  try {
    const auto text = read_regular_file(process / "environ");
    // It cannot be read when it is another user's, or gone.
    for (std::string_view rest = text ? *text : std::string_view();
         !rest.empty();) {
      if (take_part(rest, '\0') == entry) {
        return true;
      }
    }
    return false;
  } catch (const Error&) {
    return false;  // it ended meanwhile
  }
}

// Returns true for a process of the user that this one acts as. The real user
// counts, too: anybody can start set-user-ID programs of root. A newline in a
// process's name is escaped.
bool is_own(const fs::path& process) {
  try {
    const auto text = read_regular_file(process / "status");
    return text && text->find(fmt::format("\nUid:\t{0}\t{0}\t{0}\t{0}\n",
                                          geteuid())) != std::string::npos;
  } catch (const Error&) {
    return false;  // it ended meanwhile
  }
}

// A process, by a descriptor that never comes to mean another one.
struct Orphan {
  pid_t pid;
  Descriptor fd;
};

std::vector<Orphan> find_orphans(const fs::path& checkout) {
  const std::string entry = fmt::format("{}={}", variable, checkout.string());
  std::vector<Orphan> orphans;
  for (const pid_t pid : process_ids()) {
    if (pid == getpid()) {
      continue;
    }
    Descriptor fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (fd.is_open() && has_entry(process_folder(pid), entry) &&
        is_own(process_folder(pid))) {
      orphans.push_back({pid, std::move(fd)});
    }
  }
  return orphans;
}

bool ends_before(steady_clock::time_point deadline, const Orphan& orphan) {
  const timespec second = to_timespec(std::chrono::seconds(1));
  while (steady_clock::now() < deadline) {
    throw_if_interrupted();
    touch_watchdog();
    pollfd end{.fd = orphan.fd.get(), .events = POLLIN, .revents = 0};
    if (ppoll(&end, 1, &second, &wait_mask()) == 1) {
      return true;
    }
  }
  return false;
}

}  // namespace

Variables marked(Variables variables, const fs::path& checkout) {
  variables[variable] = checkout.string();
  return variables;
}

int end_orphans(const fs::path& checkout, std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  int ended = 0;
  for (;;) {  // what one starts meanwhile is found by the next look
    const std::vector<Orphan> orphans = find_orphans(checkout);
    if (orphans.empty()) {
      return ended;
    }
    for (const Orphan& orphan : orphans) {
      syscall(SYS_pidfd_send_signal, orphan.fd.get(), SIGKILL, nullptr, 0);
    }
    for (const Orphan& orphan : orphans) {
      if (!ends_before(deadline, orphan)) {
        throw Error(
            fmt::format("processes that an earlier run left behind in {} do "
                        "not end within {}, or start others; one is {}",
                        checkout.string(), describe_duration(patience),
                        orphan.pid),
            fmt::format("look who starts them, and end that: "
                        "ps -o pid,ppid,user,stat,args -p {}",
                        orphan.pid));
      }
      ++ended;
    }
  }
}

}  // namespace deployment
