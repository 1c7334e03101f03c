#include "lib/services/listening.hpp"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/services/tcp_sockets.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// Control groups, by their inodes.
using Groups = std::set<std::uint64_t>;

void add_group(const fs::path& folder, Groups& groups) {
  struct stat status {};
  if (stat(folder.c_str(), &status) == 0) {
    groups.insert(status.st_ino);
  }
}

// A control group and those below it; empty when there is none, or no version 2
// of control groups. Beside version 1 that has a folder of its own.
Groups groups_of(const std::string& control_group) {
  Groups groups;
  for (const char* top : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs system {};
    if (control_group.empty() || statfs(top, &system) != 0 ||
        system.f_type != CGROUP2_SUPER_MAGIC) {
      continue;
    }
    const fs::path folder = top + control_group;
    add_group(folder, groups);
    std::error_code error;  // those that end meanwhile have no sockets
    fs::recursive_directory_iterator entry(folder, error);
    for (; !error && entry != fs::recursive_directory_iterator();
         entry.increment(error)) {
      if (entry->is_directory(error)) {
        add_group(entry->path(), groups);
      }
    }
  }
  return groups;
}

}  // namespace

std::optional<Endpoints> listeners_of(const UnitState& unit,
                                      const Endpoints& held) {
  const Groups groups = groups_of(unit.control_group);
  if (groups.empty() && unit.main_pid == 0) {
    return Endpoints();  // it has no process
  }
  const auto sockets = tcp_sockets({TcpState::listening});
  if (groups.empty() || !sockets) {
    return std::nullopt;
  }
  std::set<Endpoint> listeners;  // several sockets may share an endpoint
  for (const TcpSocket& socket : *sockets) {
    if (socket.group == 0) {
      return std::nullopt;
    }
    if (groups.contains(socket.group) ||
        std::ranges::count(held, socket.local) != 0) {
      listeners.insert(socket.local);
    }
  }
  return Endpoints(listeners.begin(), listeners.end());
}

void add_listeners(std::optional<Endpoints>& all,
                   const std::optional<Endpoints>& more) {
  if (!all || !more) {
    all.reset();
    return;
  }
  for (const Endpoint& endpoint : *more) {
    if (std::ranges::count(*all, endpoint) == 0) {
      all->push_back(endpoint);
    }
  }
}

bool is_ephemeral(int port) {
  const std::string text =
      read_regular_file("/proc/sys/net/ipv4/ip_local_port_range").value_or("");
  const std::size_t gap = std::min(text.find('\t'), text.size());
  const auto first = parse_number(text.substr(0, gap));
  const auto last = parse_number(trimmed(std::string_view(text).substr(gap)));
  return first && last && *first <= port && port <= *last;
}

}  // namespace deployment
