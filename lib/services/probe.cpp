#include "lib/services/probe.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "lib/base/error.hpp"
#include "lib/services/tcp_sockets.hpp"

namespace deployment {
namespace {

// The form in which the system calls take an address.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_system(const Endpoint& endpoint) {
  SocketAddress address;
  if (endpoint.is_ipv4()) {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(static_cast<std::uint16_t>(endpoint.port));
    std::memcpy(&ipv4.sin_addr, endpoint.address.data() + 12, 4);
    std::memcpy(&address.storage, &ipv4, address.size = sizeof(ipv4));
  } else {
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(static_cast<std::uint16_t>(endpoint.port));
    std::memcpy(&ipv6.sin6_addr, endpoint.address.data(), 16);
    std::memcpy(&address.storage, &ipv6, address.size = sizeof(ipv6));
  }
  return address;
}

Endpoint from_system(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address.storage, sizeof(ipv4));
    std::array<unsigned char, 4> bytes{};
    std::memcpy(bytes.data(), &ipv4.sin_addr, bytes.size());
    return ipv4_endpoint(bytes, ntohs(ipv4.sin_port));
  }
  sockaddr_in6 ipv6{};
  std::memcpy(&ipv6, &address.storage, sizeof(ipv6));
  Endpoint endpoint{.port = ntohs(ipv6.sin6_port)};
  std::memcpy(endpoint.address.data(), &ipv6.sin6_addr, 16);
  return endpoint;
}

// The addresses at which a listener answers, in the order to try them. A socket
// that listens on :: mostly serves IPv4 too, also where IPv6 is turned off.
std::vector<Endpoint> addresses_of(const Endpoint& endpoint) {
  const Endpoint ipv4 = ipv4_endpoint({127, 0, 0, 1}, endpoint.port);
  if (!endpoint.is_wildcard()) {
    return {endpoint};
  }
  if (endpoint.is_ipv4()) {
    return {ipv4};
  }
  Endpoint ipv6{.port = endpoint.port};
  ipv6.address.back() = 1;
  return {ipv6, ipv4};
}

// Returns a socket that connects, or errno.
std::pair<Descriptor, int> begin_to_connect(const Endpoint& endpoint) {
  SocketAddress address = to_system(endpoint);
  Descriptor fd(::socket(address.storage.ss_family,
                         SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const bool begun =
      fd.is_open() && (::connect(fd.get(), address.get(), address.size) == 0 ||
                       errno == EINPROGRESS);
  const int error = begun ? 0 : errno;
  return {std::move(fd), error};
}

// Asks for one of the two ends of a connection.
Endpoint end_of(int ask(int, sockaddr*, socklen_t*), int fd) {
  SocketAddress address;
  ask(fd, address.get(), &address.size);
  return from_system(address);
}

}  // namespace

Probe::Probe(const Endpoint& listener) {
  for (const Endpoint& address : addresses_of(listener)) {
    std::tie(socket_, error_) = begin_to_connect(address);
    if (error_ == 0) {
      return;
    }
  }
}

std::optional<std::string> Probe::problem() {
  if (is_done_) {
    return std::nullopt;
  }
  if (error_ == 0) {  // it is told once
    socklen_t size = sizeof(error_);
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error_, &size);
  }
  if (error_ != 0) {
    return errno_text(error_);
  }
  if (!is_connected()) {
    return "no connection is made";
  }
  if (!is_accepted()) {
    return "nobody accepts it";
  }
  // A service that serves one connection after the other would wait for it.
  socket_.reset();
  is_done_ = true;
  return std::nullopt;
}

bool Probe::is_connected() const {
  pollfd fd{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
  return ::poll(&fd, 1, 0) == 1;
}

// A connection in the accept queue is established and belongs to no process:
// accept(2) gives it an inode.
bool Probe::is_accepted() const {
  const Endpoint here = end_of(getsockname, socket_.get());
  const Endpoint there = end_of(getpeername, socket_.get());
  const auto sockets = tcp_sockets();
  return sockets && std::ranges::any_of(*sockets, [&](const TcpSocket& socket) {
           const bool is_new = socket.state == TcpState::established ||
                               socket.state == TcpState::syn_received;
           return socket.local == there && socket.remote == here &&
                  (socket.inode != 0 || !is_new);
         });
}

}  // namespace deployment
