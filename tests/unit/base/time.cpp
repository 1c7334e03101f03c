#include "lib/base/time.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a time reads as RFC 3339 in UTC") {
  CHECK(to_string(Time(0s)) == "1970-01-01T00:00:00Z");
  CHECK(to_string(Time(1709210096s)) == "2024-02-29T12:34:56Z");
  CHECK(to_string(Time(253402300799s)) == "9999-12-31T23:59:59Z");
}

TEST_CASE("a time that was written is read back") {
  for (const auto seconds : {0s, 951782400s, 1709210096s, 4102444799s}) {
    CHECK(parse_time(to_string(Time(seconds))) == Time(seconds));
  }
}

TEST_CASE("text of any other form is no time") {
  for (const char* text :
       {"", "Z", "2024-02-29", "2024-02-29T12:34:56", "2024-02-29 12:34:56Z",
        "2024-02-29T12:34:56Zx", "2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z", "2023-02-29T00:00:00Z", "2024-02-29T24:00:00Z",
        "2024-02-29T12:60:00Z", "2024-02-29T12:34:60Z", "2024-2-29T12:34:56Z",
        "+024-02-29T12:34:56Z", "2024-02-29T12:34:5-Z",
        "2024-02-29T12:34:56+00:00"}) {
    INFO(text);
    CHECK_FALSE(parse_time(text).has_value());
  }
}

TEST_CASE("a duration is told in the units that people use") {
  CHECK(describe_duration(0ms) == "0.0 s");
  CHECK(describe_duration(449ms) == "0.4 s");
  CHECK(describe_duration(59s) == "59.0 s");
  CHECK(describe_duration(60s) == "1 min 0 s");
  CHECK(describe_duration(192s) == "3 min 12 s");
  CHECK(describe_duration(3600s) == "1 h 0 min");
  CHECK(describe_duration(7530s) == "2 h 5 min");
}

}  // namespace
}  // namespace deployment
