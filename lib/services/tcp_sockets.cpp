#include "lib/services/tcp_sockets.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

#include "lib/base/file.hpp"

namespace deployment {
namespace {

// Takes a value off the beginning of `bytes`; nullopt when they are too few.
template <typename Value>
std::optional<Value> take(std::string_view& bytes) {
  Value value{};
  if (bytes.size() < sizeof(value)) {
    return std::nullopt;
  }
  std::memcpy(&value, bytes.data(), sizeof(value));
  bytes.remove_prefix(sizeof(value));
  return value;
}

// Takes a message or an attribute off, whose header says its length, and the
// padding behind it; the result is what follows the header.
template <typename Header>
std::string_view take_body(std::string_view& bytes, std::size_t length) {
  const std::size_t size =
      std::min(bytes.size(), length - std::min(length, sizeof(Header)));
  const std::string_view body = bytes.substr(0, size);
  bytes.remove_prefix(std::min(bytes.size(), (size + 3) / 4 * 4));
  return body;
}

Endpoint to_endpoint(int family, const __be32* address, __be16 port) {
  std::array<unsigned char, 16> bytes{};
  std::memcpy(bytes.data(), address, bytes.size());
  const int number = ntohs(port);
  return family == AF_INET
             ? ipv4_endpoint({bytes[0], bytes[1], bytes[2], bytes[3]}, number)
             : Endpoint{.address = bytes, .port = number};
}

std::uint64_t group_in(std::string_view attributes) {
  while (const auto header = take<rtattr>(attributes)) {
    std::string_view value = take_body<rtattr>(attributes, header->rta_len);
    if (header->rta_type == INET_DIAG_CGROUP_ID) {
      return take<std::uint64_t>(value).value_or(0);
    }
  }
  return 0;
}

std::optional<TcpSocket> to_socket(std::string_view body) {
  const auto told = take<inet_diag_msg>(body);
  if (!told) {
    return std::nullopt;
  }
  const inet_diag_sockid& id = told->id;
  return TcpSocket{
      .local = to_endpoint(told->idiag_family, id.idiag_src, id.idiag_sport),
      .remote = to_endpoint(told->idiag_family, id.idiag_dst, id.idiag_dport),
      .state = static_cast<TcpState>(told->idiag_state),
      .inode = told->idiag_inode,
      .group = group_in(body)};
}

bool ask(int fd, int family, unsigned states) {
  struct {
    nlmsghdr header{};
    inet_diag_req_v2 question{};
  } message;
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.question.sdiag_family = static_cast<__u8>(family);
  message.question.sdiag_protocol = IPPROTO_TCP;
  message.question.idiag_states = states;
  return send(fd, &message, sizeof(message), 0) == sizeof(message);
}

bool receive(int fd, std::vector<TcpSocket>& sockets) {
  std::array<char, 32768> buffer;  // NOLINT: recv(2) fills it
  AnswerEnd end = AnswerEnd::none;
  while (end == AnswerEnd::none) {
    const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
    if (count <= 0) {
      return false;
    }
    end =
        add_sockets({buffer.data(), static_cast<std::size_t>(count)}, sockets);
  }
  return end == AnswerEnd::done;
}

}  // namespace

std::optional<std::vector<TcpSocket>> tcp_sockets(
    std::initializer_list<TcpState> states) {
  unsigned mask = states.size() == 0 ? ~0U : 0;
  for (const TcpState state : states) {
    mask |= 1U << static_cast<unsigned>(state);
  }
  const Descriptor fd(
      socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  const timeval patience{.tv_sec = 5, .tv_usec = 0};  // it answers at once
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::vector<TcpSocket> sockets;
  if (!ask(fd.get(), AF_INET, mask) || !receive(fd.get(), sockets)) {
    return std::nullopt;
  }
  if (ask(fd.get(), AF_INET6, mask)) {  // it fails where there is no IPv6
    receive(fd.get(), sockets);
  }
  return sockets;
}

AnswerEnd add_sockets(std::string_view answer,
                      std::vector<TcpSocket>& sockets) {
  while (const auto header = take<nlmsghdr>(answer)) {
    if (header->nlmsg_type == NLMSG_DONE) {
      return AnswerEnd::done;
    }
    if (header->nlmsg_type == NLMSG_ERROR ||
        header->nlmsg_len < sizeof(nlmsghdr)) {
      return AnswerEnd::failed;
    }
    if (auto socket =
            to_socket(take_body<nlmsghdr>(answer, header->nlmsg_len))) {
      sockets.push_back(*socket);
    }
  }
  return AnswerEnd::none;
}

}  // namespace deployment
