#include "lib/model/history.hpp"

#include "lib/base/error.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Outcome = Deployment::Outcome;

Deployment deployment(int number, Outcome outcome, char from, char to) {
  return {.ended = Time(std::chrono::seconds(number)),
          .outcome = outcome,
          .duration = 7s,
          .from = commit(from),
          .to = commit(to)};
}

const Deployment first = deployment(1, Outcome::deployed, 'a', 'b');
const Deployment second = deployment(2, Outcome::failed, 'b', 'c');
const Deployment third = deployment(3, Outcome::rolled_back, 'c', 'b');

// `first` is in it, and told in full.
History history() {
  return {.entries = {{.deployment = first,
                       .subject = "Add a # and a \\",
                       .author = "Ada",
                       .attempts = 2,
                       .steps = {{.step = "web: build", .duration = 1234ms},
                                 {.step = "verify", .duration = 0ms}}}},
          .totals = {{Outcome::deployed, 7}, {Outcome::failed, 3}}};
}

TEST_CASE("a history comes back from its text") {
  History more = history();
  catch_up(more, {first, second, third});
  for (const History& one : {History{}, history(), more}) {
    INFO(to_text(one));
    CHECK(parse_history(to_text(one), "/state/record.history") == one);
  }
}

TEST_CASE("a person can read the text of a history") {
  CHECK(to_text(history()) ==
        "# Deployments that ended, the oldest first; written by "
        "deployment-update.\n"
        "total = 7 deployed\n"
        "total = 3 failed\n"
        "deployment = 1970-01-01T00:00:01Z deployed 7 " +
            id('a') + " " + id('b') +
            "\n"
            "subject = Add a \\x23 and a \\x5c\n"
            "author = Ada\n"
            "attempts = 2\n"
            "step = 1234 web: build\n"
            "step = 0 verify\n");
}

TEST_CASE("refuses another text than that of a history") {
  for (const std::string text :
       {"nonsense", "[section]\ntotal = 1 deployed\n", "total = x deployed\n",
        "total = 1 fine\n", "subject = Before any\n", "deployment = today\n",
        "\xff\xfe\n", "total = -1 failed\n"}) {
    INFO(text);
    CHECK(contains(message_of<Error>([&] { parse_history(text, "/history"); }),
                   "/history"));
  }
  CHECK_THROWS_AS(
      parse_history(to_text(history()) + "colour = red\n", "/history"), Error);
}

TEST_CASE("takes what the record has and the history has not") {
  History known = history();
  CHECK_FALSE(catch_up(known, {first}));
  CHECK(known == history());
  CHECK(catch_up(known, {first, second, third}));
  REQUIRE(known.entries.size() == 3);
  CHECK(known.entries[0] == history().entries[0]);
  CHECK(known.entries[1] == HistoryEntry{.deployment = second});
  CHECK(known.entries[2] == HistoryEntry{.deployment = third});
  CHECK(known.totals == std::map<Outcome, int>{{Outcome::deployed, 7},
                                               {Outcome::failed, 4},
                                               {Outcome::rolled_back, 1}});
  CHECK_FALSE(catch_up(known, {first, second, third}));
}

TEST_CASE("begins with all that the record has") {
  History known;
  CHECK_FALSE(catch_up(known, {}));
  CHECK(catch_up(known, {first, second}));
  CHECK(known.entries.size() == 2);
  CHECK(known.totals ==
        std::map<Outcome, int>{{Outcome::deployed, 1}, {Outcome::failed, 1}});
}

TEST_CASE("a commit that fails again counts and takes one place") {
  History known;
  catch_up(known, {first, second});
  Deployment again = second;
  again.ended += 1h;
  CHECK(catch_up(known, {first, again}));
  REQUIRE(known.entries.size() == 2);
  CHECK(known.entries[1] == HistoryEntry{.deployment = again, .attempts = 2});
  CHECK(known.totals[Outcome::failed] == 2);
}

TEST_CASE("keeps a hundred, and counts all") {
  History known;
  std::vector<Deployment> recorded;
  for (int i = 0; i < 120; ++i) {
    recorded.push_back(deployment(i, Outcome::deployed, 'a', 'b'));
    if (recorded.size() > 10) {
      recorded.erase(recorded.begin());
    }
    catch_up(known, recorded);
  }
  REQUIRE(known.entries.size() == 100);
  CHECK(known.entries.front().deployment.ended == Time(20s));
  CHECK(known.entries.back().deployment.ended == Time(119s));
  CHECK(known.totals[Outcome::deployed] == 120);
}

}  // namespace
}  // namespace deployment
