#include "lib/model/endpoint.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

using Ipv4 = std::array<unsigned char, 4>;

constexpr std::array<unsigned char, 12> mapped = {0, 0, 0, 0, 0,    0,
                                                  0, 0, 0, 0, 0xFF, 0xFF};

Ipv4 ipv4_of(const Endpoint& endpoint) {
  Ipv4 address = {};
  std::copy_n(endpoint.address.begin() + mapped.size(), address.size(),
              address.begin());
  return address;
}

// The text of an address as inet_ntop(3) writes it.
template <typename Address>
std::string text_of(int family, const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  inet_ntop(family, address.data(), text.data(), text.size());
  return text.data();
}

std::optional<int> parse_port(std::string_view text) {
  const std::optional<int> port = parse_number(text);
  return port && *port > 0 && *port <= 0xFFFF ? port : std::nullopt;
}

std::optional<Endpoint> parse_address(std::string_view text, int port) {
  const bool in_brackets =
      text.size() > 2 && text.front() == '[' && text.back() == ']';
  if (in_brackets) {
    Endpoint endpoint{.port = port};
    const std::string inside(text.substr(1, text.size() - 2));
    const bool is_ipv6 =
        inet_pton(AF_INET6, inside.c_str(), endpoint.address.data()) == 1;
    return is_ipv6 ? std::optional(endpoint) : std::nullopt;
  }
  Ipv4 address = {};
  return inet_pton(AF_INET, std::string(text).c_str(), address.data()) == 1
             ? std::optional(ipv4_endpoint(address, port))
             : std::nullopt;
}

}  // namespace

bool Endpoint::is_ipv4() const {
  return std::ranges::equal(mapped, std::span(address).first<mapped.size()>());
}

bool Endpoint::is_wildcard() const {
  return is_ipv4() ? ipv4_of(*this) == Ipv4{} : address == Endpoint{}.address;
}

bool Endpoint::is_loopback() const {
  Endpoint loopback;
  loopback.address.back() = 1;
  return is_ipv4() ? ipv4_of(*this).front() == 127
                   : address == loopback.address;
}

Endpoint ipv4_endpoint(const std::array<unsigned char, 4>& address, int port) {
  Endpoint endpoint{.port = port};
  std::ranges::copy(mapped, endpoint.address.begin());
  std::ranges::copy(address, endpoint.address.begin() + mapped.size());
  return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
  return endpoint.is_ipv4()
             ? fmt::format("{}:{}", text_of(AF_INET, ipv4_of(endpoint)),
                           endpoint.port)
             : fmt::format("[{}]:{}", text_of(AF_INET6, endpoint.address),
                           endpoint.port);
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const std::optional<int> port = parse_port(text.substr(colon + 1));
  return port ? parse_address(text.substr(0, colon), *port) : std::nullopt;
}

}  // namespace deployment
