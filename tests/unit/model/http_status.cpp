#include "lib/model/http_status.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("statuses come back from their text") {
  for (const char* text : {"200", "200-399", "200-299, 401", "100, 599"}) {
    const auto ranges = parse_status_ranges(text);
    REQUIRE(ranges.has_value());
    CHECK(to_string(*ranges) == text);
  }
  CHECK(parse_status_ranges("200,204 , 301-308") ==
        StatusRanges{{.first = 200, .last = 200},
                     {.first = 204, .last = 204},
                     {.first = 301, .last = 308}});
}

TEST_CASE("other text is no list of statuses") {
  for (const char* text : {"", ",", "99", "600", "2xx", "399-200", "200-",
                           "-200", "200--300", "200 204", "200,,204"}) {
    INFO(text);
    CHECK_FALSE(parse_status_ranges(text).has_value());
  }
}

TEST_CASE("a status is in the list or not") {
  const StatusRanges ranges = {{.first = 200, .last = 299},
                               {.first = 401, .last = 401}};
  for (const int status : {200, 204, 299, 401}) {
    CHECK(contains(ranges, status));
  }
  for (const int status : {0, 199, 300, 400, 402}) {
    CHECK_FALSE(contains(ranges, status));
  }
}

}  // namespace
}  // namespace deployment
