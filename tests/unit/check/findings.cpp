#include "lib/check/findings.hpp"

#include "tests/catch.hpp"

namespace deployment {
namespace {

TEST_CASE("a good host has few lines") {
  Findings found;
  found.saw("tools", "git 2");
  found.saw("tools", "npm 9");
  found.saw("clock", "synchronized");
  CHECK(found.as_text() ==
        "tools        git 2, npm 9\n"
        "clock        synchronized\n"
        "nothing is in the way\n");
}

TEST_CASE("tells each obstacle once, with its remedy") {
  Findings found;
  found.add({.about = "units", .what = "it is masked", .remedy = "unmask it"});
  found.add("units", Error("it is masked", "again"), "look");
  found.add("remote", Error("it fails:\nfatal: no\x1b[31m route"), "look");
  found.note({.about = "clock", .what = "it is late", .remedy = "set it"});
  found.skip("the lock");
  CHECK(found.as_text() ==
        "not seen     the lock\n"
        "note         it is late\n"
        "  to do      set it\n"
        "in the way   it is masked\n"
        "  to do      unmask it\n"
        "in the way   it fails: fatal: no\\x1b[31m route\n"
        "  to do      look\n"
        "2 obstacles\n");
  CHECK(found.as_json().starts_with(
      R"({"obstacles":[{"about":"units","what":"it is masked",)"));
}

TEST_CASE("passes on wrong settings alone") {
  Findings found;
  CHECK_THROWS_AS(
      found.look_at("x", "look", [] { throw UsageError("settle = x"); }),
      UsageError);
  found.look_at("x", "look", [] { throw Error("no"); });
  CHECK(found.obstacles() ==
        std::vector<Finding>{{.about = "x", .what = "no", .remedy = "look"}});
}

}  // namespace
}  // namespace deployment
