#include "lib/deploy/rollback.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

const CommitId before = commit('a');
const CommitId after = commit('b');

// A staged deployment of `after` that restarted services.
struct Situation {
  Config config = {};
  Record record = {
      .deployed = before,
      .pending = Pending{.tip = after, .reached = Reached::restarted}};
  Plan plan = {.change = Change{.from = before, .to = after}};
  Trials trials = {};

  WayBack back() const { return way_back(config, record, plan, trials); }
};

using Changes = std::vector<std::function<void(Situation&)>>;

TEST_CASE("a staged deployment goes back to what was deployed before") {
  const Changes changes = {
      [](Situation&) {},
      [](Situation& s) { s.record.pending->reached = Reached::moved; },
      [](Situation& s) { s.trials.first = 1; },
      [](Situation& s) { s.record.deployed.reset(); },
      // A rollback by hand to another commit.
      [](Situation& s) { s.record.roll_back_to = after; },
      [](Situation& s) {
        s.plan.change->to = before;
        s.trials.repeated = 1;
      }};
  for (const auto& change : changes) {
    Situation situation;
    change(situation);
    CHECK(situation.back().to == before);
    CHECK(situation.back().why_none.empty());
  }
}

TEST_CASE("only who is left on the way back is not to blame") {
  Record record = Situation().record;
  record.quarantined = after;
  CHECK_FALSE(commit_to_acquit(record).has_value());
  record.roll_back_to = after;  // a person asked for another one
  CHECK_FALSE(commit_to_acquit(record).has_value());
  record.roll_back_to = before;
  CHECK(commit_to_acquit(record) == after);
  Record another = record;  // failed, and was taken back as well
  another.history = {
      {.outcome = Deployment::Outcome::failed, .to = commit('c')}};
  CHECK_FALSE(commit_to_acquit(another).has_value());
  Record asked = record;
  asked.quarantined_by = "alice";
  CHECK_FALSE(commit_to_acquit(asked).has_value());
  Record adopted = record;
  adopted.deployed.reset();
  CHECK(commit_to_acquit(adopted) == after);
  record.pending->repairs = true;
  CHECK_FALSE(commit_to_acquit(record).has_value());
}

TEST_CASE("without anything to take back, nothing goes back") {
  const Changes changes = {
      [](Situation& s) { s.record.pending->reached = Reached::nothing; },
      [](Situation& s) { s.record.pending.reset(); },
      [](Situation& s) { s.record.roll_back_to = before; },
      [](Situation& s) {  // to where nobody knows of
        s.record.deployed.reset();
        s.record.roll_back_to = after;
      },
      [](Situation& s) { s.plan.change.reset(); }};
  for (const auto& change : changes) {
    Situation situation;
    change(situation);
    CHECK_FALSE(situation.back().to.has_value());
    CHECK(situation.back().why_none.empty());
  }
}

TEST_CASE("without a way back it is told why there is none") {
  struct Case {
    std::function<void(Situation&)> change;
    std::string why;
  };
  const std::string in_place =
      "what is built in place replaces what was there before";
  for (const Case& c :
       {Case{[](Situation& s) { s.config.build = BuildMode::in_place; },
             in_place},
        Case{[](Situation& s) { s.plan.in_place_reason = "no namespace"; },
             in_place},
        Case{[](Situation& s) {
               s.record.deployed.reset();
               s.trials.first = 1;
             },
             "nothing was deployed before"},
        Case{[](Situation& s) { s.plan.change->to = before; },
             "aaaaaaaaaaaa was deployed before, too, and no other environment "
             "of it is kept"}}) {
    Situation situation;
    c.change(situation);
    CHECK_FALSE(situation.back().to.has_value());
    CHECK(situation.back().why_none == c.why);
  }
}

Deployment deployment(std::optional<CommitId> from, const CommitId& to,
                      Deployment::Outcome outcome) {
  return {.outcome = outcome, .from = std::move(from), .to = to};
}

// `after` is deployed, and `c` failed.
Record history() {
  using Outcome = Deployment::Outcome;
  Record record = {.deployed = after};
  record.history = {deployment(commit('0'), before, Outcome::deployed),
                    deployment(before, after, Outcome::deployed),
                    deployment(after, after, Outcome::deployed),
                    deployment(after, commit('c'), Outcome::failed)};
  return record;
}

TEST_CASE("by hand it goes to the deployment before the present one") {
  CHECK_FALSE(commit_before(Record{}).has_value());
  Record record = history();
  CHECK(commit_before(record) == before);
  record.deployed = before;
  CHECK(commit_before(record) == commit('0'));
}

TEST_CASE("by hand it goes back to the last good one first") {
  Record record = history();
  record.pending = Pending{.tip = commit('c')};
  CHECK(commit_before(record) == before);
  record.pending->reached = Reached::moved;
  CHECK(commit_before(record) == after);
  record.roll_back_to = before;
  CHECK(commit_before(record) == before);
  // A deployment of what was deployed has left nothing.
  record.roll_back_to.reset();
  record.pending->tip = after;
  CHECK(commit_before(record) == before);
}

TEST_CASE("a rollback leaves what failed last, else the remote's commit") {
  Record record = history();
  record.pending = Pending{.tip = commit('d')};
  CHECK(commit_that_failed(record) == commit('c'));
  record.history.pop_back();
  CHECK(commit_that_failed(record) == commit('d'));
}

TEST_CASE("by hand it goes to any commit of the history") {
  const Record record = history();
  CHECK(commit_asked_for(record, "", {}) == before);
  for (const char digit : {'0', 'a', 'b'}) {
    CHECK(commit_asked_for(record, std::string(7, digit), {}) == commit(digit));
  }
}

TEST_CASE("a commit that is not one of the history is refused") {
  CHECK(message_of<Error>([] { commit_asked_for(Record{}, "", {}); }) ==
        "there is no earlier deployment on record to roll back to");
  const Config shop{.instance = "shop"};
  CHECK(error_of<Error>([&] {
          commit_asked_for(Record{}, "", shop);
        }).advice() == "look at: deployment-update --instance shop --history");
  CHECK(
      message_of<Error>([] { commit_asked_for(Record{}, "ddddddd", {}); }) ==
      "no commit that was deployed begins with ddddddd; the history has: none");
  const std::string refusal =
      message_of<Error>([] { commit_asked_for(history(), "ddddddd", {}); });
  CHECK(contains(refusal, "no commit that was deployed begins with ddddddd"));
  for (const char digit : {'0', 'a', 'b'}) {
    CHECK(contains(refusal, id(digit)));
  }
  CHECK_THROWS_AS(commit_asked_for(history(), "ccccccc", {}),
                  Error);  // it failed
  Record alike = history();
  alike.deployed = CommitId::parse("bbbbbbbb" + std::string(32, '0'));
  CHECK(contains(
      message_of<Error>([&] { commit_asked_for(alike, "bbbbbbb", {}); }),
      "more than one commit that was deployed begins with bbbbbbb; "));
}

TEST_CASE("environments are kept of the commits that one can go back to") {
  Record record = history();
  CHECK(commits_to_keep(record) == std::set{before, after});
  record.roll_back_to = commit('0');
  CHECK(commits_to_keep(record) == std::set{commit('0'), before, after});
  CHECK(commits_to_keep(Record{}).empty());
}

}  // namespace
}  // namespace deployment
