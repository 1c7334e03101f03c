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
  Record record = {.pending =
                       Pending{.tip = after, .reached = Reached::restarted}};
  Plan plan = {.change = Change{.from = before, .to = after}};
  bool made_first_environment = false;

  std::optional<CommitId> target() const {
    return commit_to_roll_back_to(config, record, plan, made_first_environment);
  }
};

TEST_CASE("a staged deployment goes back to what was deployed before") {
  Situation situation;
  CHECK(situation.target() == before);
  situation.record.pending->reached = Reached::moved;
  CHECK(situation.target() == before);
}

TEST_CASE("without a way back, or anything to take back, nothing goes back") {
  const std::function<void(Situation&)> changes[] = {
      [](Situation& s) { s.config.build = BuildMode::in_place; },
      [](Situation& s) { s.plan.in_place_reason = "no namespace"; },
      [](Situation& s) { s.record.pending->reached = Reached::nothing; },
      [](Situation& s) { s.record.pending.reset(); },
      [](Situation& s) { s.made_first_environment = true; },
      [](Situation& s) { s.record.roll_back_to = before; },
      [](Situation& s) { s.plan.change.reset(); },
      [](Situation& s) { s.plan.change->from = after; }};
  for (const auto& change : changes) {
    Situation situation;
    change(situation);
    CHECK_FALSE(situation.target().has_value());
  }
}

Deployment deployment(std::optional<CommitId> from, const CommitId& to,
                      Deployment::Outcome outcome) {
  return {.outcome = outcome, .from = std::move(from), .to = to};
}

TEST_CASE("by hand it goes to the deployment before the present one") {
  using Outcome = Deployment::Outcome;
  Record record;
  CHECK_FALSE(commit_before(record).has_value());
  record.deployed = after;
  record.history = {deployment(commit('0'), before, Outcome::deployed),
                    deployment(before, after, Outcome::deployed),
                    deployment(after, after, Outcome::deployed),
                    deployment(after, commit('c'), Outcome::failed)};
  CHECK(commit_before(record) == before);
  record.deployed = before;
  CHECK(commit_before(record) == commit('0'));
}

}  // namespace
}  // namespace deployment
