#include "lib/check/service_variables.hpp"

#include "lib/check/time_span.hpp"
#include "tests/catch.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

TEST_CASE("reads the variables of a unit") {
  CHECK(parse_unit_variables("A=1 \"B=two words\" C= =D E") ==
        Variables{{"A", "1"}, {"B", "two words"}, {"C", ""}});
  // What is no line of shell is split at blanks.
  CHECK(parse_unit_variables("A=$x B=1") == Variables{{"A", "$x"}, {"B", "1"}});
  CHECK(parse_unit_variables("").empty());
}

TEST_CASE("reads a file of variables") {
  CHECK(parse_variables_file("# A=0\n; B=0\n\nA=1\n B='two words'\nC=a b\n"
                             "TOKEN=a$b\n") ==
        Variables{
            {"A", "1"}, {"B", "two words"}, {"C", "a b"}, {"TOKEN", "a$b"}});
}

TEST_CASE("reads lengths of time of systemd") {
  CHECK(parse_time_span("1min 30s") == 90s);
  CHECK(parse_time_span("9h") == 9h);
  CHECK(parse_time_span("1d 1us") == 24h);
  CHECK(parse_time_span("0") == 0s);
  for (const char* text : {"", "infinity", "1 parsec", "s", "-1s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time_span(text));
  }
}

}  // namespace
}  // namespace deployment
