#include "lib/model/endpoint.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("an endpoint comes back from its text") {
  for (const char* text : {"0.0.0.0:8000", "127.0.0.1:1", "[::]:3000",
                           "[::1]:65535", "[fe80::1]:22", "10.1.2.3:80"}) {
    INFO(text);
    const auto endpoint = parse_endpoint(text);
    REQUIRE(endpoint.has_value());
    CHECK(to_string(*endpoint) == text);
  }
}

TEST_CASE("an IPv4 address is one, however it is written") {
  CHECK(parse_endpoint("127.0.0.1:80") == ipv4_endpoint({127, 0, 0, 1}, 80));
  CHECK(parse_endpoint("[::ffff:127.0.0.1]:80") ==
        parse_endpoint("127.0.0.1:80"));
}

TEST_CASE("other text is no endpoint") {
  for (const char* text :
       {"", ":", "8000", ":8000", "0.0.0.0:", "0.0.0.0:0", "0.0.0.0:65536",
        "0.0.0.0:-1", "0.0.0.0:x", "::1:80", "[::1]80", "[::1:80", "::1]:80",
        "[]:80", "[127.0.0.1]:80", "localhost:80", "1.2.3:80", "0.0.0.0 :80"}) {
    INFO(text);
    CHECK_FALSE(parse_endpoint(text).has_value());
  }
}

TEST_CASE("tells addresses of this host from those of all") {
  struct Case {
    const char* text;
    bool is_wildcard;
    bool is_loopback;
  };
  for (const Case& c :
       {Case{"0.0.0.0:1", true, false}, Case{"[::]:1", true, false},
        Case{"127.0.0.1:1", false, true}, Case{"127.0.1.1:1", false, true},
        Case{"[::1]:1", false, true}, Case{"10.0.0.1:1", false, false},
        Case{"[fe80::1]:1", false, false}}) {
    INFO(c.text);
    CHECK(parse_endpoint(c.text)->is_wildcard() == c.is_wildcard);
    CHECK(parse_endpoint(c.text)->is_loopback() == c.is_loopback);
  }
}

}  // namespace
}  // namespace deployment
