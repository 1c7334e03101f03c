#include "lib/model/outcome.hpp"

#include <csignal>

#include "lib/base/signals.hpp"
#include "lib/model/transitions.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

const CommitId good = commit('a');
const CommitId bad = commit('b');
const Time noon{1'700'000'000s};
const Failure failure = {.step = "build", .error = "exited with code 1"};

Record deployed() {
  Record record;
  record.deployed = good;
  return record;
}

Record failed(const std::string& error = failure.error) {
  Record record = deployed();
  transition::failed(record, bad, {.step = "build", .error = error}, noon, {});
  return record;
}

// The services of `bad` did not stay up.
Record rolled_back() {
  Record record = deployed();
  transition::begin(record, bad, noon, false);
  transition::roll_back_decided(record, bad, failure, noon, {}, good, true);
  transition::rolled_back(
      record, {.outcome = Deployment::Outcome::rolled_back, .to = good});
  return record;
}

// Tells all that is owed and returns it, as a run does.
std::vector<std::string> told_by(Record& record, const Sight& seen) {
  std::vector<std::string> events;
  while (const auto notice = next_notice(record, seen)) {
    if (notice->event) {
      events.emplace_back(to_string(*notice->event));
    }
    transition::told(record, notice->told);
    REQUIRE(events.size() < 10);
  }
  return events;
}

using Events = std::vector<std::string>;

const Sight at_end = {.now = noon, .notify_away = 15min};
const Sight at_begin = {.is_begin = true, .now = noon, .notify_away = 15min};

TEST_CASE("what a record says of the last deployment") {
  CHECK_FALSE(outcome_of(Record{}));
  CHECK(outcome_of(deployed()) ==
        Outcome{.kind = Outcome::Kind::deployed, .commit = good});
  CHECK(outcome_of(failed()) == Outcome{.kind = Outcome::Kind::failed,
                                        .commit = bad,
                                        .failure = failure});
  CHECK(outcome_of(rolled_back()) == Outcome{.kind = Outcome::Kind::rolled_back,
                                             .commit = bad,
                                             .failure = failure});
  Record asked = deployed();
  transition::roll_back_requested(asked, bad, good, "ann", noon);
  CHECK_FALSE(outcome_of(asked));  // it is at work
  transition::rolled_back(
      asked, {.outcome = Deployment::Outcome::rolled_back, .to = bad});
  CHECK(outcome_of(asked) == Outcome{.kind = Outcome::Kind::rolled_back,
                                     .commit = good,
                                     .by = "ann"});
}

TEST_CASE("what is no outcome") {
  Record running = failed();
  transition::begin(running, bad, noon, false);
  CHECK_FALSE(outcome_of(running));

  Record interrupted = failed();
  transition::interrupted(
      interrupted, {.step = "build", .error = Interrupted(SIGTERM).text()},
      noon);
  CHECK_FALSE(outcome_of(interrupted));

  Record deferred = running;
  transition::deferred(deferred, {.step = "gate", .error = "closed"}, noon);
  CHECK_FALSE(outcome_of(deferred));
}

TEST_CASE("a rollback that blames no commit is one, until it fails again") {
  Record record = deployed();
  transition::begin(record, bad, noon, false);
  transition::roll_back_decided(record, bad, failure, noon, {}, good, false);
  CHECK_FALSE(outcome_of(record));
  transition::rolled_back(
      record, {.outcome = Deployment::Outcome::rolled_back, .to = good});
  REQUIRE(outcome_of(record));
  CHECK(outcome_of(record)->kind == Outcome::Kind::rolled_back);
  CHECK(outcome_of(record)->failure == failure);
}

TEST_CASE("each change is told once") {
  Record record;
  CHECK(told_by(record, at_begin) == Events{});
  record.deployed = good;
  CHECK(told_by(record, at_end) == Events{"deployed"});
  CHECK(told_by(record, at_begin) == Events{});
  const auto becomes = [&](Record next) {
    next.told = record.told;
    record = next;
    return told_by(record, at_end);
  };
  CHECK(becomes(failed()) == Events{"failed"});
  CHECK(becomes(failed()) == Events{});
  CHECK(becomes(failed("exited with code 2")) == Events{});  // but for a number
  CHECK(becomes(failed("no space left")) == Events{"failed-differently"});
  CHECK(becomes(rolled_back()) == Events{"rolled-back"});
  CHECK(becomes(rolled_back()) == Events{});
  CHECK(becomes(deployed()) == Events{"recovered"});
  CHECK(becomes(deployed()) == Events{});
}

TEST_CASE("what was deployed before anybody was to be told is no news") {
  Record record = deployed();
  CHECK(told_by(record, at_begin) == Events{});
  CHECK(told_by(record, at_end) == Events{});
  Record trouble = failed();
  CHECK(told_by(trouble, at_begin) == Events{"failed"});
  CHECK(told_by(trouble, at_end) == Events{});
}

TEST_CASE("a rollback that a person asked for is nothing to recover from") {
  Record record = deployed();
  told_by(record, at_begin);
  transition::roll_back_requested(record, bad, good, "ann", noon);
  transition::rolled_back(
      record, {.outcome = Deployment::Outcome::rolled_back, .to = bad});
  CHECK(told_by(record, at_end) == Events{"rolled-back"});
  transition::begin(record, good, noon, true);
  transition::deployed(record, {.to = good});
  CHECK(told_by(record, at_end) == Events{"deployed"});
}

TEST_CASE("what stopped a run is over when a run has asked the remote") {
  Record record = deployed();
  told_by(record, at_begin);
  Sight stopped = at_end;
  stopped.failure = {.step = "planning", .error = "the repository is damaged"};
  CHECK(told_by(record, stopped) == Events{"failed"});
  CHECK(told_by(record, at_begin) == Events{});
  CHECK(told_by(record, stopped) == Events{});
  record.remote_away_since = noon;
  CHECK(told_by(record, at_end) == Events{});
  record.remote_away_since.reset();
  CHECK(told_by(record, at_end) == Events{"recovered"});
}

TEST_CASE("the remote may be away for a while untold") {
  Record record = deployed();
  told_by(record, at_begin);
  record.remote_away_since = noon;
  Sight seen = at_end;
  CHECK(told_by(record, seen) == Events{});
  record.remote_away_since.reset();
  CHECK(told_by(record, seen) == Events{});
  record.remote_away_since = noon;
  seen.now = noon + 15min;
  Sight begin = seen;
  begin.is_begin = true;
  CHECK(told_by(record, begin) == Events{});  // it may answer in a moment
  CHECK(told_by(record, seen) == Events{"remote-away"});
  seen.now += 24h;
  CHECK(told_by(record, seen) == Events{});
  record.remote_away_since.reset();
  CHECK(told_by(record, begin) == Events{"remote-back"});
  CHECK(told_by(record, seen) == Events{});
}

TEST_CASE("a hold and its end are told, and another hold") {
  Record record = deployed();
  told_by(record, at_begin);
  Sight held = at_begin;
  held.held_since = noon;
  CHECK(told_by(record, held) == Events{"held"});
  CHECK(told_by(record, held) == Events{});
  held.held_since = noon + 1h;
  CHECK(told_by(record, held) == Events{"held"});
  CHECK(told_by(record, at_begin) == Events{"released"});
  CHECK(told_by(record, at_begin) == Events{});
}

TEST_CASE("a program that fails is called again later") {
  Record record = deployed();
  transition::telling_began(record, noon);
  CHECK(record.told.retry == Retry{.tries = 0, .next = noon});
  transition::telling_failed(record, noon);
  CHECK(record.told.retry == Retry{.tries = 1, .next = noon + 1min});
  transition::telling_began(record, noon + 1min);
  CHECK(record.told.retry == Retry{.tries = 1, .next = noon + 1min});
  transition::telling_failed(record, noon);
  CHECK(record.told.retry == Retry{.tries = 2, .next = noon + 2min});
  transition::told(record, {.outcome = "deployed"});
  CHECK_FALSE(record.told.retry);
}

}  // namespace
}  // namespace deployment
