#include "lib/base/time.hpp"

#include <ctime>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a time reads as RFC 3339 in UTC") {
  CHECK(to_string(Time(0s)) == "1970-01-01T00:00:00Z");
  CHECK(to_string(Time(1709210096s)) == "2024-02-29T12:34:56Z");
  CHECK(to_string(Time(253402300799s)) == "9999-12-31T23:59:59Z");
}

TEST_CASE("a time is written and read alike in every year and on leap days") {
  struct Case {
    std::chrono::seconds seconds;
    const char* text;
  };
  for (const Case& c : {
           Case{-1s, "1969-12-31T23:59:59Z"},
           Case{0s, "1970-01-01T00:00:00Z"},
           Case{951868799s, "2000-02-29T23:59:59Z"},
           Case{1709210096s, "2024-02-29T12:34:56Z"},
           Case{2147483647s, "2038-01-19T03:14:07Z"},
           Case{2147483648s, "2038-01-19T03:14:08Z"},
           Case{4107542400s, "2100-03-01T00:00:00Z"},
           Case{4294967296s, "2106-02-07T06:28:16Z"},
           Case{13574606400s, "2400-02-29T12:00:00Z"},
           Case{253402300799s, "9999-12-31T23:59:59Z"},
       }) {
    INFO(c.text);
    CHECK(to_string(Time(c.seconds)) == c.text);
    CHECK(parse_time(c.text) == Time(c.seconds));
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

TEST_CASE("what strptime also takes, and days that no month has, are no time") {
  for (const char* text :
       {" 2024-02-29T12:34:56Z", "2024-02-29T12:34:56Z ",
        "2024- 2-29T12:34:56Z", "2024-02- 9T12:34:56Z", "2024-02-29T 1:34:56Z",
        "2024-02-29T12:4:56Z", "024-02-29T12:34:56Z", "2024-02-29t12:34:56Z",
        "2024-02-29T12:34:56z", "2024-04-31T00:00:00Z", "2100-02-29T00:00:00Z",
        "10000-01-01T00:00:00Z"}) {
    INFO(text);
    CHECK_FALSE(parse_time(text).has_value());
  }
  using namespace std::string_view_literals;
  CHECK_FALSE(parse_time("2024-02-29T12:34:56Z\0"sv).has_value());
}

TEST_CASE("a wait is split into seconds and the rest, and is never negative") {
  struct Case {
    std::chrono::nanoseconds duration;
    std::time_t seconds;
    long nanoseconds;
  };
  for (const Case& c : {
           Case{0ns, 0, 0},
           Case{1500ms, 1, 500'000'000},
           Case{999'999'999ns, 0, 999'999'999},
           Case{3600s, 3600, 0},
           Case{-1ns, 0, 0},
           Case{-1500ms, 0, 0},
       }) {
    const timespec wait = to_timespec(c.duration);
    CHECK(wait.tv_sec == c.seconds);
    CHECK(wait.tv_nsec == c.nanoseconds);
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
