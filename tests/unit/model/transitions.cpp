#include "lib/model/transitions.hpp"

#include <functional>

#include "lib/model/record_text.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

const CommitId before = commit('a');
const CommitId after = commit('b');
const Time noon{1'700'000'000s};
const Failure failure = {.step = "build", .error = "exited with code 1"};
const Inputs inputs = {{"package.json", std::string(64, '1')}};

// `before` is deployed.
Record settled() {
  Record record;
  record.deployed = before;
  record.components["web"] = {.commit = before, .inputs = inputs};
  return record;
}

// A run deploys `after`.
Record running(Reached reached = Reached::nothing) {
  Record record = settled();
  record.pending =
      Pending{.tip = after, .reached = reached, .running = true, .since = noon};
  return record;
}

Record in_root() {
  Record record = running();
  record.components["web"].root = ".";
  return record;
}

Deployment ended(Deployment::Outcome outcome) {
  return {.ended = noon, .outcome = outcome, .from = before, .to = after};
}

// The record after a change, and the one that is expected.
struct Row {
  const char* change;
  Record start;
  std::function<void(Record&)> apply;
  std::function<void(Record&)> expected;  // applied to `start`
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.change);
    Record record = row.start;
    row.apply(record);
    Record expected = row.start;
    row.expected(expected);
    CHECK(to_text(record) == to_text(expected));
    CHECK((record == expected));
  }
}

TEST_CASE("the remote is away from the first time on, until it is back") {
  Record away = settled();
  away.remote_away_since = noon;
  check({{"went away", settled(),
          [](Record& r) { transition::remote_went_away(r, noon); },
          [](Record& r) { r.remote_away_since = noon; }},
         {"still away", away,
          [](Record& r) { transition::remote_went_away(r, noon + 1h); },
          [](Record&) {}},
         {"came back", away, [](Record& r) { transition::remote_came_back(r); },
          [](Record& r) { r.remote_away_since.reset(); }}});
}

TEST_CASE("a run begins") {
  Record failed = running(Reached::moved);
  failed.pending->running = false;
  failed.pending->failure = failure;
  failed.pending->attempts = 3;
  Record quarantined = settled();
  quarantined.quarantined = after;
  quarantined.quarantined_by = "alice";
  const auto fresh = [](Reached reached) {
    return Pending{.tip = after,
                   .reached = reached,
                   .running = true,
                   .since = noon,
                   .next_try = noon};
  };
  check({{"a first try", settled(),
          [](Record& r) { transition::begin(r, after, noon, false); },
          [&](Record& r) { r.pending = fresh(Reached::nothing); }},
         {"another try", failed,
          [](Record& r) { transition::begin(r, after, noon + 1h, false); },
          [](Record& r) { r.pending->running = true; }},
         {"another try by force counts anew", failed,
          [](Record& r) { transition::begin(r, after, noon, true); },
          [&](Record& r) { r.pending = fresh(Reached::moved); }},
         {"another tip counts anew, and remembers what was moved", failed,
          [](Record& r) { transition::begin(r, commit('c'), noon, false); },
          [&](Record& r) {
            r.pending = fresh(Reached::moved);
            r.pending->tip = commit('c');
          }},
         {"after a killed run", running(Reached::restarted),
          [](Record& r) { transition::begin(r, after, noon + 1h, false); },
          [](Record&) {}},
         {"force ends a quarantine", quarantined,
          [](Record& r) { transition::begin(r, after, noon, true); },
          [&](Record& r) {
            r.pending = fresh(Reached::nothing);
            r.quarantined.reset();
            r.quarantined_by.clear();
          }}});
}

TEST_CASE("a rollback by hand, and what overtakes it") {
  Record asked = settled();
  transition::roll_back_requested(asked, commit('0'), before, "alice", noon);
  CHECK(asked.roll_back_to == commit('0'));
  CHECK(asked.quarantined == before);
  CHECK(asked.quarantined_by == "alice");
  REQUIRE(asked.pending.has_value());
  CHECK(asked.pending->tip == before);
  CHECK(asked.pending->running);
  const auto forget = [](Record& r) { r.roll_back_to.reset(); };
  check({{"the same tip", asked,
          [](Record& r) { transition::overtake_roll_back(r, before, false); },
          [](Record&) {}},
         {"force", asked,
          [](Record& r) { transition::overtake_roll_back(r, before, true); },
          forget},
         {"another tip", asked,
          [](Record& r) { transition::overtake_roll_back(r, after, false); },
          forget}});
}

TEST_CASE("steps are noted before and after") {
  Record moving = running();
  moving.moving_to = after;
  Record unverified = running(Reached::restarted);
  unverified.components["web"].unverified_commit = after;
  Record released = running();
  released.released = {{"web", before}, {"other", before}};
  check(
      {{"move began", running(),
        [](Record& r) { transition::move_began(r, after, true); },
        [](Record& r) { r.moving_to = after; }},
       {"move began, back to what a service ran on", running(),
        [](Record& r) { transition::move_began(r, before, true); },
        [](Record& r) {
          r.moving_to = before;
          r.components["web"].commit.reset();
        }},
       {"move to another branch at the same commit", running(),
        [](Record& r) { transition::move_began(r, before, false); },
        [](Record& r) { r.moving_to = before; }},
       {"move ended", moving, [](Record& r) { transition::move_ended(r); },
        [](Record& r) {
          r.moving_to.reset();
          r.pending->reached = Reached::moved;
        }},
       {"move taken back", moving,
        [](Record& r) { transition::move_taken_back(r); },
        [](Record& r) { r.moving_to.reset(); }},
       {"submodules began", running(),
        [](Record& r) { transition::submodules_began(r); },
        [](Record& r) { r.pending->reached = Reached::moved; }},
       {"install began", running(),
        [](Record& r) { transition::install_began(r, "web", ""); },
        [](Record& r) { r.components["web"] = {}; }},
       {"environment installed", running(),
        [](Record& r) { transition::environment_ready(r, "new", inputs, ""); },
        [](Record& r) { r.components["new"].inputs = inputs; }},
       {"exchange began", running(),
        [](Record& r) { transition::exchange_began(r, "web", ""); },
        [](Record& r) {
          r.components["web"].commit.reset();
          r.pending->reached = Reached::moved;
        }},
       {"exchange began in a workspace root", running(),
        [](Record& r) { transition::exchange_began(r, "web", "."); },
        [](Record& r) {
          r.components["web"] = {.root = "."};
          r.pending->reached = Reached::moved;
        }},
       {"exchange began where it is", in_root(),
        [](Record& r) { transition::exchange_began(r, "web", std::nullopt); },
        [](Record& r) {
          r.components["web"].commit.reset();
          r.pending->reached = Reached::moved;
        }},
       {"environment exchanged", running(Reached::moved),
        [](Record& r) { transition::environment_ready(r, "web", {}, "."); },
        [](Record& r) {
          r.components["web"].inputs.clear();
          r.components["web"].root = ".";
        }},
       {"environment lost", running(),
        [](Record& r) { transition::environment_lost(r, "web"); },
        [](Record& r) { r.components["web"].inputs.clear(); }},
       {"released", running(),
        [](Record& r) { transition::released(r, "new", after); },
        [](Record& r) {
          r.released = {{"new", after}};
        }},
       {"released again", released,
        [](Record& r) { transition::released(r, "web", after); },
        [](Record& r) { r.released.at("web") = after; }},
       {"restart began", running(Reached::moved),
        [](Record& r) { transition::restart_began(r, "web"); },
        [](Record& r) {
          r.components["web"].commit.reset();
          r.pending->reached = Reached::restarted;
        }},
       {"restart ended", running(Reached::restarted),
        [](Record& r) { transition::restart_ended(r, "web", after); },
        [](Record& r) { r.components["web"].unverified_commit = after; }},
       {"a move after a restart reaches no less", running(Reached::restarted),
        [](Record& r) { transition::move_ended(r); }, [](Record&) {}},
       {"skipped", running(),
        [](Record& r) { transition::skipped(r, "web", after); },
        [](Record& r) { r.components["web"].commit = after; }},
       {"skipped after its restart", unverified,
        [](Record& r) { transition::skipped(r, "web", after); },
        [](Record& r) {
          r.components["web"].commit = after;
          r.components["web"].unverified_commit.reset();
        }}});
}

TEST_CASE("the record names its checkout") {
  Record rolls_back = running(Reached::restarted);
  rolls_back.checkout = "/srv/app";
  rolls_back.checkout_id = "1";
  rolls_back.moving_to = before;
  rolls_back.roll_back_to = before;
  rolls_back.quarantined = after;
  rolls_back.history = {ended(Deployment::Outcome::failed)};
  rolls_back.released = {{"web", after}};
  check({{"named", settled(),
          [](Record& r) { transition::checkout_named(r, "/srv/app", "1"); },
          [](Record& r) {
            r.checkout = "/srv/app";
            r.checkout_id = "1";
          }},
         {"cloned anew: deployed, quarantine, history and releases stay",
          rolls_back, [](Record& r) { transition::cloned_anew(r); },
          [](Record& r) {
            r.checkout_id.clear();
            r.components.clear();
            r.pending.reset();
            r.moving_to.reset();
            r.roll_back_to.reset();
          }}});
}

TEST_CASE("a component is known as it was configured") {
  Record record = settled();
  record.components["web"].configured = "npm web";
  record.components["old"] = {.configured = "npm old", .commit = before};
  const std::map<std::string, std::string> same = {{"web", "npm web"},
                                                   {"new", "npm new"}};
  const std::map<std::string, std::string> other = {{"web", "npm elsewhere"}};
  check({{"as before", record,
          [&](Record& r) { transition::configuration_changed(r, same); },
          [](Record&) {}},
         {"another way", record,
          [&](Record& r) { transition::configuration_changed(r, other); },
          [](Record& r) {
            const ComponentRecord known = r.components["web"];
            r.components["web"] = {.configured = known.configured,
                                   .inputs = known.inputs};
          }},
         {"recorded by an earlier version", settled(),
          [&](Record& r) { transition::configuration_changed(r, other); },
          [](Record&) {}},
         {"deployed", settled(),
          [&](Record& r) { transition::configuration_deployed(r, same); },
          [](Record& r) { r.components["web"].configured = "npm web"; }}});
}

TEST_CASE("a repair is a rollback to what is deployed") {
  Record quarantined = settled();
  quarantined.quarantined = after;
  check({{"began", quarantined,
          [](Record& r) { transition::repair_began(r, after, noon); },
          [](Record& r) {
            r.roll_back_to = before;
            r.pending = Pending{.tip = after,
                                .running = true,
                                .repairs = true,
                                .since = noon,
                                .next_try = noon};
          }}});
  // It is over when the deployed commit is, and when another thing is begun.
  transition::repair_began(quarantined, after, noon);
  Record repaired = quarantined;
  repaired.quarantined.reset();
  transition::rolled_back(repaired, ended(Deployment::Outcome::deployed));
  REQUIRE(repaired.pending.has_value());
  CHECK_FALSE(repaired.pending->repairs);
  transition::overtake_roll_back(quarantined, after, true);
  CHECK_FALSE(quarantined.pending->repairs);
}

TEST_CASE("only services that stayed up are on the commit") {
  Record restarted = running(Reached::restarted);
  for (const char* name : {"web", "api", "later"}) {
    restarted.components[name] = {.unverified_commit = after};
  }
  check({{"verify ended", restarted,
          [](Record& r) {
            transition::verify_ended(r, {{"web", true}, {"api", false}}, {},
                                     after);
          },
          [](Record& r) {
            r.components["web"] = {.commit = after};
            r.components["api"] = {};
          }}});
}

TEST_CASE("a verified service is known to listen where it does") {
  const Endpoint left = ipv4_endpoint({0, 0, 0, 0}, 8000);
  const Endpoint now = ipv4_endpoint({0, 0, 0, 0}, 8001);
  Record record = running(Reached::restarted);
  record.components["web"] = {.unverified_commit = after, .listens = {left}};
  record.components["api"] = {.unverified_commit = after, .listens = {left}};
  check(
      {{"verify ended", record,
        [&](Record& r) {
          transition::verify_ended(r, {{"web", true}, {"api", true}},
                                   {{"web", {now}}}, after);
        },
        [&](Record& r) {
          r.components["web"] = {.commit = after, .listens = {now}};
          // It could not be looked at.
          r.components["api"] = {.commit = after, .listens = {left}};
        }},
       {"expected elsewhere", record,
        [&](Record& r) {
          transition::expected_to_listen(r, "web", {now}, false);
        },
        [&](Record& r) { r.components["web"].listens = {now}; }},
       {"expected nowhere", record,
        [](Record& r) { transition::expected_to_listen(r, "web", {}, false); },
        [](Record& r) { r.components["web"].listens.clear(); }},
       {"of a new one nothing is expected", record,
        [](Record& r) { transition::expected_to_listen(r, "new", {}, false); },
        [](Record& /*r*/) {}}});
}

TEST_CASE("a failure counts, waits and goes into the history once") {
  const auto fail = [](Record& r) {
    transition::failed(r, after, failure, noon,
                       ended(Deployment::Outcome::failed));
  };
  Record record = running(Reached::moved);
  fail(record);
  CHECK_FALSE(record.pending->running);
  CHECK(record.pending->failure == failure);
  CHECK(record.pending->attempts == 1);
  CHECK(record.pending->next_try == noon + 1min);
  CHECK(record.pending->reached == Reached::moved);
  fail(record);
  CHECK(record.pending->attempts == 2);
  CHECK(record.pending->next_try == noon + 2min);
  CHECK(record.history.size() == 1);

  Record rolling_back = running();
  rolling_back.roll_back_to = before;
  fail(rolling_back);
  CHECK(rolling_back.history.empty());

  Record planning = settled();  // it failed before a run began to change things
  transition::failed(planning, after, failure, noon, std::nullopt);
  CHECK(planning.pending->tip == after);
  CHECK(planning.history.empty());
}

TEST_CASE("an obstacle is no attempt, and does not wait") {
  Record failed_twice = running(Reached::moved);
  failed_twice.pending->running = false;
  failed_twice.pending->attempts = 2;
  failed_twice.pending->next_try = noon + 2min;
  Record known = running();
  known.pending->running = false;
  known.pending->failure = failure;
  known.pending->next_try = noon;
  const auto meet = [](Record& r) {
    transition::obstructed(r, after, failure, noon);
  };
  check(
      {{"before a run began", settled(), meet,
        [](Record& r) {
          r.pending = Pending{.tip = after,
                              .failure = failure,
                              .since = noon,
                              .next_try = noon};
        }},
       {"after attempts that failed", failed_twice, meet,
        [](Record& r) {
          r.pending->failure = failure;
          r.pending->attempts = 0;
          r.pending->next_try = noon;
        }},
       {"once more, which is not written", known,
        [](Record& r) { transition::obstructed(r, after, failure, noon + 1h); },
        [](Record&) {}}});
}

TEST_CASE("the gate says not now, once in the same words") {
  const Failure closed = {.step = "gate", .error = "closed"};
  Record deferred = running();
  transition::deferred(deferred, closed, noon);
  check({{"first", running(),
          [&](Record& r) { transition::deferred(r, closed, noon); },
          [&](Record& r) {
            r.pending->running = false;
            r.pending->failure = closed;
            r.pending->deferred_since = noon;
          }},
         {"again", deferred,
          [&](Record& r) { transition::deferred(r, closed, noon + 1h); },
          [](Record&) {}},
         {"in other words", deferred,
          [](Record& r) {
            transition::deferred(r, {.step = "gate", .error = "busy"},
                                 noon + 1h);
          },
          [](Record& r) { r.pending->failure->error = "busy"; }},
         {"then it fails", deferred,
          [](Record& r) {
            transition::failed(r, after, failure, noon, std::nullopt);
          },
          [](Record& r) {
            r.pending->deferred_since.reset();
            r.pending->failure = failure;
            r.pending->attempts = 1;
            r.pending->next_try = noon + 1min;
          }}});
}

TEST_CASE("a rollback quarantines the commit that is to blame") {
  for (const bool is_to_blame : {true, false}) {
    Record record = running(Reached::restarted);
    transition::roll_back_decided(record, after, failure, noon,
                                  ended(Deployment::Outcome::failed), before,
                                  is_to_blame);
    CHECK(record.roll_back_to == before);
    CHECK(record.pending->running);
    CHECK(record.pending->attempts == 1);
    CHECK(record.history.size() == 1);
    CHECK(record.quarantined.has_value() == is_to_blame);

    Deployment back = ended(Deployment::Outcome::rolled_back);
    back.to = before;
    transition::rolled_back(record, back);
    CHECK(record.deployed == before);
    CHECK_FALSE(record.roll_back_to.has_value());
    CHECK(record.history.size() == 2);
    // A quarantined commit is done with; another one is tried again.
    CHECK(record.pending.has_value() != is_to_blame);
    if (record.pending) {
      CHECK(record.pending->next_try == noon + 1min);
      CHECK(record.pending->reached == Reached::nothing);
    }
  }
}

TEST_CASE("a rollback by hand that is taken back is a failure of its own") {
  Record record = settled();  // `before` is deployed, and the remote's commit
  const CommitId older = commit('0');
  transition::roll_back_requested(record, older, before, "alice", noon);
  Deployment failed = ended(Deployment::Outcome::failed);
  failed.to = older;
  transition::roll_back_decided(record, before, failure, noon, failed, before,
                                false);
  CHECK(record.history.back().to == older);
  Deployment back = ended(Deployment::Outcome::rolled_back);
  back.to = before;
  transition::rolled_back(record, back);
  CHECK(record.deployed == before);
  CHECK_FALSE(record.pending.has_value());
  CHECK_FALSE(record.quarantined.has_value());
}

TEST_CASE("a person who returns from a bad commit does not take its blame") {
  Record record = settled();
  record.quarantined = after;
  Record elsewhere = record;
  transition::roll_back_requested(record, before, after, "alice", noon);
  CHECK(record.quarantined == after);
  CHECK(record.quarantined_by.empty());
  transition::roll_back_requested(elsewhere, commit('0'), after, "alice", noon);
  CHECK(elsewhere.quarantined_by.empty());
  Record good = settled();
  transition::roll_back_requested(good, commit('0'), before, "alice", noon);
  CHECK(good.quarantined_by == "alice");
}

TEST_CASE("who fails on the way back as well is not to blame") {
  Record record = running(Reached::restarted);
  record.quarantined = after;
  transition::acquitted(record);
  CHECK_FALSE(record.quarantined.has_value());
}

TEST_CASE("what fails on the way back is no deployment that failed") {
  for (const bool knows_deployed : {true, false}) {
    Record record = running(Reached::restarted);
    if (!knows_deployed) {
      record.deployed.reset();
    }
    record.roll_back_to = before;
    const std::size_t past = record.history.size();
    transition::failed(
        record, after, failure, noon,
        Deployment{.outcome = Deployment::Outcome::failed, .to = before});
    CHECK(record.history.size() == past);
  }
}

TEST_CASE("what stood there before is deployed") {
  Record record;
  transition::adopted(record, before);
  CHECK(record == Record{.deployed = before});
}

TEST_CASE("a repair that fails lets the next try be one of the tip") {
  Record waiting = settled();
  transition::failed(waiting, after, failure, noon, std::nullopt);
  Record repairing = waiting;
  transition::repair_began(repairing, after, noon);
  Record moved = repairing;
  transition::failed(repairing, after, failure, noon, std::nullopt);
  CHECK_FALSE(repairing.roll_back_to.has_value());
  CHECK(repairing.pending->attempts == 2);
  transition::begin(repairing, after, noon, false);
  CHECK_FALSE(repairing.pending->repairs);
  // What was begun to be moved has to come to an end.
  transition::exchange_began(moved, "web", "");
  transition::failed(moved, after, failure, noon, std::nullopt);
  CHECK(moved.roll_back_to == before);
  // A quarantined tip has no next try.
  Record bad = settled();
  bad.quarantined = after;
  transition::repair_began(bad, after, noon);
  transition::failed(bad, after, failure, noon, std::nullopt);
  CHECK(bad.roll_back_to == before);
}

TEST_CASE("what was restarted before an exchange is restarted again after it") {
  Record record = settled();
  record.components["web"].unverified_commit = after;
  transition::exchange_began(record, "web", "");
  CHECK(record.components["web"].unverified_commit == std::nullopt);
}

TEST_CASE("a repair goes on when a person asks for what it goes back to") {
  Record record = settled();
  transition::failed(record, after, failure, noon, std::nullopt);
  transition::repair_began(record, after, noon);
  transition::interrupted(record, failure, noon);
  Record before_it = record;
  transition::roll_back_requested(record, before, after, "alice", noon);
  before_it.pending->running = true;
  CHECK(record == before_it);
}

TEST_CASE("--force begins anew, also after a run that was killed") {
  Record record = running(Reached::moved);
  record.quarantined = after;
  record.pending->attempts = 3;
  transition::begin(record, after, noon, true);
  CHECK(record.pending->running);
  CHECK(record.pending->attempts == 0);
  CHECK(record.pending->reached == Reached::moved);
  CHECK_FALSE(record.quarantined.has_value());
}

TEST_CASE("a label tells what an environment was made from") {
  const Inputs made_from = {{"package.json", "1f"}};
  const Record record = settled();
  check(
      {{"of a component", record,
        [&](Record& r) {
          transition::environment_labelled(r, "web", made_from, ".");
        },
        [&](Record& r) {
          r.components["web"].inputs = made_from;
          r.components["web"].root = ".";
        }},
       {"an empty one", record,
        [](Record& r) { transition::environment_labelled(r, "web", {}, "."); },
        [](Record& /*r*/) {}},
       {"of none that is known", record,
        [&](Record& r) {
          transition::environment_labelled(r, "x", made_from, "");
        },
        [](Record& /*r*/) {}}});
}

TEST_CASE("an interrupted run is continued at once") {
  check({{"interrupted", running(Reached::moved),
          [](Record& r) { transition::interrupted(r, failure, noon); },
          [](Record& r) {
            r.pending->running = false;
            r.pending->failure = failure;
            r.pending->next_try = noon;
          }},
         {"interrupted before it began", settled(),
          [](Record& r) { transition::interrupted(r, failure, noon); },
          [](Record&) {}}});
}

TEST_CASE("what is deployed is neither pending nor quarantined") {
  Record busy = running(Reached::restarted);
  busy.moving_to = after;
  busy.quarantined = commit('c');
  busy.quarantined_by = "alice";
  check({{"deployed", busy,
          [](Record& r) {
            transition::deployed(r, ended(Deployment::Outcome::deployed));
          },
          [](Record& r) {
            r.pending.reset();
            r.moving_to.reset();
            r.quarantined.reset();
            r.quarantined_by.clear();
            r.deployed = after;
            r.remote_commit = after;
            r.history = {ended(Deployment::Outcome::deployed)};
          }},
         {"nothing to deploy", busy,
          [](Record& r) { transition::nothing_to_deploy(r); },
          [](Record& r) {
            r.pending.reset();
            r.moving_to.reset();
          }}});
}

TEST_CASE("the waits double up to an hour") {
  CHECK(transition::back_off(0) == 1min);
  const std::chrono::minutes waits[] = {1min,  2min,  4min,  8min,
                                        16min, 32min, 60min, 60min};
  for (int i = 0; i < 8; ++i) {
    CHECK(transition::back_off(i + 1) == waits[i]);
  }
  CHECK(transition::back_off(1'000'000) == 60min);
}

}  // namespace
}  // namespace deployment
