// The TCP sockets of this network namespace, as the kernel tells them
// (sock_diag(7)). That takes no rights; to look into /proc/PID/fd of a service
// would take those to trace its processes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "lib/model/endpoint.hpp"

namespace deployment {

// The states that matter here, as the kernel numbers them.
enum class TcpState : std::uint8_t {
  established = 1,
  syn_received = 3,
  listening = 10,
};

struct TcpSocket {
  Endpoint local = {};
  Endpoint remote = {};
  TcpState state = {};      // may have a value that is not named above
  std::uint32_t inode = 0;  // 0: no process has it
  std::uint64_t group = 0;  // the control group (version 2) that it was made
                            // in, by its inode; 0: the kernel does not tell

  bool operator==(const TcpSocket&) const = default;
};

// Lists the sockets of IPv4 and IPv6 that are in one of `states`; with none, in
// any. Returns nullopt when the kernel does not answer.
std::optional<std::vector<TcpSocket>> tcp_sockets(
    std::initializer_list<TcpState> states = {});

// The end of an answer, after which nothing more comes.
enum class AnswerEnd { none, done, failed };

// Adds the sockets of a part of the kernel's answer.
AnswerEnd add_sockets(std::string_view answer, std::vector<TcpSocket>& sockets);

}  // namespace deployment
