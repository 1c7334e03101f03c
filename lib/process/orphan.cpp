#include "lib/process/orphan.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/process/processes.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

constexpr const char* variable = "DEPLOYMENT_UPDATE_CHECKOUT";
constexpr int patience = 10'000;  // milliseconds

bool has_entry(const fs::path& process, const std::string& entry) {
  try {
    const auto text = read_regular_file(process / "environ");
    // It cannot be read when it is another user's, or gone.
    return text && std::ranges::count(split(*text, '\0'), entry) != 0;
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
    if (fd.is_open() && has_entry(process_folder(pid), entry)) {
      orphans.push_back({pid, std::move(fd)});
    }
  }
  return orphans;
}

}  // namespace

Variables marked(Variables variables, const fs::path& checkout) {
  variables[variable] = checkout.string();
  return variables;
}

int end_orphans(const fs::path& checkout) {
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
      pollfd end{.fd = orphan.fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&end, 1, patience) != 1) {
        throw Error(fmt::format("process {}, which an earlier run left behind, "
                                "works in {} and does not end",
                                orphan.pid, checkout.string()),
                    fmt::format("end it: kill -KILL {}", orphan.pid));
      }
      ++ended;
    }
  }
}

}  // namespace deployment
