#include "lib/base/json.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("each kind of value has its text") {
  CHECK(Json().text() == "null");
  CHECK(Json(true).text() == "true");
  CHECK(Json(false).text() == "false");
  CHECK(Json(-7).text() == "-7");
  CHECK(Json("a\"\n").text() == R"("a\"\u000a")");
}

TEST_CASE("arrays and objects nest, and may be empty") {
  CHECK(Json::array({}).text() == "[]");
  CHECK(Json::object({}).text() == "{}");
  CHECK(Json::object({{"a", Json::array({1, "x", Json()})},
                      {"\"", Json::object({{"b", true}})}})
            .text() == R"({"a":[1,"x",null],"\"":{"b":true}})");
}

}  // namespace
}  // namespace deployment
