#include "lib/base/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("JSON is one line of ASCII, and gives its text back") {
  for (const char* text :
       {"plain", "\"\\\n\t", "\x1b[2J", "\x7f", "\xc2\x9b", "\xe2\x80\xae",
        "\xe2\x80\xa8", "日本語", "emoji 🙂"}) {
    const std::string line = json_line(text);
    CHECK(Json::parse(line).get<std::string>() == text);
    CHECK(std::all_of(line.begin(), line.end() - 1,
                      [](char c) { return c >= ' ' && c <= '~'; }));
    CHECK(line.back() == '\n');
  }
}

TEST_CASE("in JSON bytes that are no UTF-8 become U+FFFD") {
  CHECK(json_line("a\xff"
                  "b\xc3") == "\"a\\ufffdb\\ufffd\"\n");
}

TEST_CASE("the members of a JSON object stay in the order given") {
  CHECK(json_line({{"b", nullptr}, {"a", {1, true}}}) ==
        "{\"b\":null,\"a\":[1,true]}\n");
}

}  // namespace
}  // namespace deployment
