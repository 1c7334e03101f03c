#include "lib/services/tcp_sockets.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "tests/unit/sockets.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

std::optional<TcpSocket> found(const Endpoint& endpoint, TcpState state) {
  const auto sockets = tcp_sockets({state});
  REQUIRE(sockets.has_value());
  const auto at = std::ranges::find(*sockets, endpoint, &TcpSocket::local);
  return at == sockets->end() ? std::nullopt : std::optional(*at);
}

TEST_CASE("finds a socket of this process while it listens") {
  for (const Endpoint& endpoint :
       {on_all(free_port()), on_loopback(free_port()),
        Endpoint{.port = free_port()}}) {
    INFO(to_string(endpoint));
    Server server(endpoint);
    const auto socket = found(endpoint, TcpState::listening);
    REQUIRE(socket.has_value());
    CHECK(socket->state == TcpState::listening);
    CHECK(socket->inode != 0);
    CHECK(socket->group != 0);
    CHECK_FALSE(found(endpoint, TcpState::established).has_value());
    server.close();
    CHECK_FALSE(found(endpoint, TcpState::listening).has_value());
  }
}

template <typename Value>
std::string bytes_of(const Value& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string message(unsigned short type, const std::string& body) {
  return bytes_of(nlmsghdr{
             .nlmsg_len = static_cast<__u32>(sizeof(nlmsghdr) + body.size()),
             .nlmsg_type = type,
             .nlmsg_flags = 0,
             .nlmsg_seq = 0,
             .nlmsg_pid = 0}) +
         body;
}

// A socket of IPv4, with an attribute that does not matter before its group.
std::string one_socket() {
  inet_diag_msg told{};
  told.idiag_family = AF_INET;
  told.idiag_state = 10;
  told.idiag_inode = 7;
  told.id.idiag_sport = htons(8000);
  const auto attribute = [](unsigned short type, const std::string& value) {
    struct {
      unsigned short length;
      unsigned short type;
    } const header = {static_cast<unsigned short>(4 + value.size()), type};
    return bytes_of(header) + value +
           std::string((4 - value.size() % 4) % 4, 0);
  };
  return message(SOCK_DIAG_BY_FAMILY,
                 bytes_of(told) + attribute(INET_DIAG_SHUTDOWN, "x") +
                     attribute(INET_DIAG_CGROUP_ID,
                               bytes_of(std::uint64_t{5'000'000'000})));
}

TEST_CASE("reads an answer, to its end") {
  std::vector<TcpSocket> sockets;
  CHECK(add_sockets(one_socket() + one_socket(), sockets) == AnswerEnd::none);
  CHECK(add_sockets(one_socket() + message(NLMSG_DONE, "") + one_socket(),
                    sockets) == AnswerEnd::done);
  REQUIRE(sockets.size() == 3);
  for (const TcpSocket& socket : sockets) {
    CHECK(socket == TcpSocket{.local = on_all(8000),
                              .remote = on_all(0),
                              .state = TcpState::listening,
                              .inode = 7,
                              .group = 5'000'000'000});
  }
}

TEST_CASE("an answer that is cut short or none ends in nothing worse") {
  const std::string whole = one_socket();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<TcpSocket> sockets;
    CHECK(add_sockets(std::string_view(whole).substr(0, size), sockets) ==
          AnswerEnd::none);
  }
  std::vector<TcpSocket> sockets;
  CHECK(add_sockets(message(NLMSG_ERROR, ""), sockets) == AnswerEnd::failed);
  CHECK(add_sockets(std::string(64, '\0'), sockets) == AnswerEnd::failed);
  CHECK(sockets.empty());
}

}  // namespace
}  // namespace deployment
