#include "tests/unit/sockets.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "lib/base/text.hpp"
#include "lib/services/listening.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

constexpr int patience = 10'000;  // milliseconds

// Returns a socket that is bound; not open: errno says why.
Descriptor bound(const Endpoint& endpoint) {
  const bool is_ipv4 = endpoint.is_ipv4();
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(static_cast<std::uint16_t>(endpoint.port));
  std::memcpy(&ipv4.sin_addr, endpoint.address.data() + 12, 4);
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = ipv4.sin_port;
  std::memcpy(&ipv6.sin6_addr, endpoint.address.data(), 16);
  Descriptor fd(
      socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const auto* address = is_ipv4 ? reinterpret_cast<const sockaddr*>(&ipv4)
                                : reinterpret_cast<const sockaddr*>(&ipv6);
  const socklen_t size = is_ipv4 ? sizeof(ipv4) : sizeof(ipv6);
  if (bind(fd.get(), address, size) != 0) {
    fd.reset();
  }
  return fd;
}

}  // namespace

std::string own_control_group() {
  const std::string text = read_file("/proc/self/cgroup");
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with("0::")) {
      return std::string(line.substr(3));
    }
  }
  return "";
}

bool has_control_groups() {
  const std::string mounts = read_file("/proc/self/mounts");
  if (contains(mounts, " cgroup2 ") && !own_control_group().empty()) {
    return true;
  }
  WARN("skipped: there are no control groups of version 2");
  return false;
}

EmptyGroup::EmptyGroup() {
  const std::string own = own_control_group();
  path_ = (own == "/" ? "" : own) + "/unit-tests." + std::to_string(getpid());
  for (const std::string top : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    // Where only the second is of version 2, the first has no such file.
    std::error_code error;
    if (std::filesystem::exists(top + own + "/cgroup.procs", error) &&
        std::filesystem::create_directory(top + path_, error)) {
      folder_ = top + path_;
      return;
    }
  }
}

EmptyGroup::~EmptyGroup() {
  std::error_code busy;
  std::filesystem::remove(folder_, busy);
}

bool EmptyGroup::is_there() const {
  if (folder_.empty()) {
    WARN("skipped: no control group can be made");
  }
  return !folder_.empty();
}

UnitState own_unit() {
  return {.active_state = "active",
          .sub_state = "running",
          .result = "success",
          .invocation_id = "2",
          .main_pid = getpid(),
          .load_state = "loaded",
          .control_group = own_control_group()};
}

int free_port() {
  static int next = 10'000 + getpid() % 10'000;
  for (int tries = 0; tries < 1000; ++tries) {
    const int port = ++next;
    if (!is_ephemeral(port) && bound(on_all(port)).is_open()) {
      return port;
    }
  }
  FAIL("there is no free port");
  return 0;
}

Server::Server(const Endpoint& endpoint, int backlog)
    : endpoint_(endpoint), fd_(bound(endpoint)) {
  REQUIRE(fd_.is_open());
  REQUIRE(listen(fd_.get(), backlog) == 0);
}

Descriptor Server::accept() const {
  pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  REQUIRE(poll(&ready, 1, patience) == 1);
  return Descriptor(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

Helper accepting(const Server& server) {
  return Helper([&server] {
    for (;;) {
      server.accept();
    }
    return 0;
  });
}

}  // namespace deployment
