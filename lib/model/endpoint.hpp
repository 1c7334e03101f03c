// The addresses that services listen on.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deployment {

// An address and a port of TCP.
struct Endpoint {
  std::array<unsigned char, 16> address = {};  // IPv4: mapped (RFC 4291)
  int port = 0;

  bool is_ipv4() const;
  bool is_wildcard() const;  // 0.0.0.0 or ::
  bool is_loopback() const;  // only this host reaches it

  // NOLINTNEXTLINE(modernize-use-nullptr): that is what std::map compares with
  auto operator<=>(const Endpoint&) const = default;
};

using Endpoints = std::vector<Endpoint>;  // in order, each once

// Makes the endpoint of an IPv4 address, whose first byte is the first in text.
Endpoint ipv4_endpoint(const std::array<unsigned char, 4>& address, int port);

// "0.0.0.0:8000", "[::1]:3000"
std::string to_string(const Endpoint& endpoint);

// Reads that text; nullopt for any other.
std::optional<Endpoint> parse_endpoint(std::string_view text);

}  // namespace deployment
