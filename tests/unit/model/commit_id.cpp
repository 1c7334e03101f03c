#include "lib/model/commit_id.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("takes full ids of SHA-1 and SHA-256") {
  for (const std::size_t length : {40U, 64U}) {
    const std::string text(length, 'c');
    const std::optional<CommitId> parsed = CommitId::parse(text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->str() == text);
  }
}

TEST_CASE("refuses text that is no full commit id") {
  const std::string digits = id('0');
  for (const std::string& text :
       {std::string(), digits.substr(1), digits + "0", std::string(63, '0'),
        std::string(65, '0'), digits.substr(1) + "A", digits.substr(1) + "g",
        digits.substr(1) + "\n", " " + digits.substr(1), std::string("HEAD")}) {
    INFO(text);
    CHECK_FALSE(CommitId::parse(text).has_value());
  }
}

TEST_CASE("abbreviates a commit id to twelve digits") {
  const auto parsed =
      CommitId::parse("0123456789abcdef" + std::string(24, '0'));
  REQUIRE(parsed.has_value());
  CHECK(parsed->abbreviated() == "0123456789ab");
}

TEST_CASE("prints a commit id in full") {
  CHECK(fmt::format("at {}", commit('a')) == "at " + id('a'));
}

TEST_CASE("compares commit ids by their digits") {
  CHECK(commit('a') == commit('a'));
  CHECK(commit('a') != commit('b'));
  CHECK(commit('a') < commit('b'));
}

}  // namespace
}  // namespace deployment
