#include "lib/plan/verdict.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

const CommitId before = commit('a');  // deployed
const CommitId after = commit('b');   // the remote's tip
const Time noon{1'700'000'000s};

Record settled_record() {
  Record record;
  record.deployed = before;
  record.components["frontend"].commit = before;
  record.components["backend"].commit = before;
  return record;
}

Record pending_record() {
  Record record = settled_record();
  record.pending = Pending{.tip = after, .attempts = 1, .next_try = noon};
  return record;
}

Heads at(const CommitId& local, const CommitId& tip) {
  return {.tip = tip, .local = local, .on_branch = true};
}

Verdict verdict(const Record& record, const Heads& heads, bool force = false) {
  return decide({}, record, {}, heads, noon, force);
}

const Standing nothing_gone = {};
const Standing venv_gone = {.gone = {"backend"}};
const Standing another_clone = {.is_another_clone = true};

Verdict verdict(const Record& record, const Standing& standing,
                const Heads& heads) {
  return decide({}, record, standing, heads, noon, false);
}

TEST_CASE("nothing new is up to date, a new tip is deployed") {
  CHECK(verdict(settled_record(), at(before, before)) == Verdict::up_to_date);
  CHECK(verdict(settled_record(), at(before, after)) == Verdict::deploy);
}

TEST_CASE("a record without a deployment adopts what is checked out") {
  CHECK(verdict({}, at(before, before)) == Verdict::up_to_date);
  CHECK(verdict({}, at(before, after)) == Verdict::deploy);
}

TEST_CASE("what does not stand is deployed, also without a record") {
  for (const Record& record : {settled_record(), Record{}}) {
    for (const Standing& standing : {venv_gone, another_clone}) {
      CHECK(verdict(record, standing, at(before, before)) == Verdict::deploy);
    }
  }
}

TEST_CASE("what does not stand beside a push that failed is repaired") {
  Record record = settled_record();
  record.pending =
      Pending{.tip = after, .failure = Failure{}, .next_try = noon + 5min};
  const Heads heads = at(before, after);
  CHECK(verdict(record, nothing_gone, heads) == Verdict::waiting);
  CHECK(verdict(record, venv_gone, heads) == Verdict::repair);
  Record due = record;
  due.pending->next_try = noon;
  CHECK(verdict(due, venv_gone, heads) == Verdict::repair);
  CHECK(verdict(due, venv_gone, at(before, commit('9'))) == Verdict::deploy);
  Record moved = record;  // services run neither commit
  moved.pending->reached = Reached::moved;
  CHECK(verdict(moved, venv_gone, heads) == Verdict::waiting);
  Record repaired = record;  // that failed, so it is the tip's turn
  repaired.pending->repairs = true;
  CHECK(verdict(repaired, venv_gone, heads) == Verdict::waiting);
  Record of_deployed = record;
  of_deployed.pending->tip = before;
  CHECK(verdict(of_deployed, venv_gone, at(before, before)) ==
        Verdict::waiting);
  Record named = record;
  named.checkout_id = "1";
  CHECK(verdict(named, venv_gone, heads) == Verdict::repair);
  // Somebody moved the checkout, and keeps it.
  CHECK(verdict(named, venv_gone, at(commit('9'), after)) == Verdict::waiting);
  CHECK(verdict(named, venv_gone, {.tip = after, .local = before}) ==
        Verdict::waiting);
  Record restoring = record;
  restoring.roll_back_to = before;
  CHECK(verdict(restoring, venv_gone, heads) == Verdict::waiting);
}

TEST_CASE("what does not stand beside a quarantine is repaired") {
  Record record = settled_record();
  record.quarantined = after;
  const Heads heads = at(before, after);
  CHECK(verdict(record, nothing_gone, heads) == Verdict::quarantined);
  CHECK(verdict(record, venv_gone, heads) == Verdict::repair);
  Record cloned = record;
  cloned.components.clear();
  CHECK(verdict(cloned, at(after, after)) == Verdict::repair);
  cloned.deployed.reset();  // there is nothing to repair
  CHECK(verdict(cloned, venv_gone, heads) == Verdict::quarantined);
}

TEST_CASE("a component is settled as it was configured") {
  const Component backend = Config{}.components.at(1);
  Component renamed = backend;
  renamed.services = {"api.service"};
  struct Case {
    std::string configured;
    Verdict verdict;
  };
  for (const Case& c : {Case{"", Verdict::up_to_date},
                        Case{configured_as(backend), Verdict::up_to_date},
                        Case{configured_as(renamed), Verdict::deploy}}) {
    INFO(c.configured);
    Record record = settled_record();
    record.components["backend"].configured = c.configured;
    CHECK(verdict(record, at(before, before)) == c.verdict);
  }
}

TEST_CASE("whatever is not done is deployed") {
  Record unknown_component = settled_record();
  unknown_component.components.erase("backend");
  Record returned = settled_record();  // it had left when `before` came
  returned.components["backend"].commit = commit('9');
  Record other_commit = settled_record();
  other_commit.deployed = after;
  Record rolls_back = settled_record();
  rolls_back.roll_back_to = after;
  for (const Record& record :
       {unknown_component, returned, other_commit, rolls_back}) {
    CHECK(verdict(record, at(before, before)) == Verdict::deploy);
  }
  Heads detached = at(before, before);
  detached.on_branch = false;
  CHECK(verdict(settled_record(), detached) == Verdict::deploy);
}

TEST_CASE("a pending deployment waits until its next try is due") {
  struct Case {
    std::chrono::seconds left;
    Verdict verdict;
  };
  // Beyond the longest wait there is, the clock was set back.
  for (const Case& c :
       {Case{-1s, Verdict::deploy}, Case{0s, Verdict::deploy},
        Case{1s, Verdict::waiting}, Case{60min, Verdict::waiting},
        Case{60min + 1s, Verdict::deploy}}) {
    INFO(c.left.count());
    Record record = pending_record();
    record.pending->next_try = noon + c.left;
    CHECK(verdict(record, at(after, after)) == c.verdict);
    CHECK(verdict(record, at(after, after), true) == Verdict::deploy);
  }
}

TEST_CASE("another service takes over while a push waits") {
  Config config;
  Record record = pending_record();
  record.pending->next_try = noon + 5min;
  record.pending->failure = Failure{.step = "build", .error = "no"};
  record.checkout_id = "1";
  for (const Component& component : config.components) {
    record.components[component.name].configured = configured_as(component);
  }
  const auto decided = [&] {
    return decide(config, record, {}, at(before, after), noon, false);
  };
  CHECK(decided() == Verdict::waiting);
  config.components.back().services = {"api.service"};
  CHECK(decided() == Verdict::repair);
  config.components.back().services = {"backend-deployment.service",
                                       "worker.service"};
  CHECK(decided() == Verdict::repair);
  record.components["backend"].configured =
      configured_as(config.components.back());
  CHECK(decided() == Verdict::waiting);
  config.components.back().services.pop_back();
  CHECK(decided() == Verdict::repair);
  record.components["backend"].configured =
      configured_without_services(config.components.back()) + "no service";
  CHECK(decided() == Verdict::repair);
  // What it is made of may be something that only the push brings.
  config.components.back().paths = {"new"};
  CHECK(decided() == Verdict::waiting);
  config.components.back().paths.clear();
  record.components["backend"].configured =
      "python backend [requirements.txt] (old) backend-deployment.service";
  CHECK(decided() == Verdict::waiting);
  // Another folder may be one that only the push brings.
  config.components.back().directory = "api";
  CHECK(decided() == Verdict::waiting);
  config.components.back().directory = "backend";
  record.pending->next_try = noon;
  CHECK(decided() == Verdict::deploy);
}

TEST_CASE("what is under way and due goes on, whatever the remote has") {
  Record killed = pending_record();
  killed.pending->running = true;
  killed.pending->next_try = noon + 5min;
  Record waiting = pending_record();
  waiting.pending->next_try = noon + 1s;
  Record rolling_back = waiting;
  rolling_back.roll_back_to = before;
  Record quarantined = settled_record();
  quarantined.quarantined = after;
  struct Case {
    Record record;
    std::optional<CommitId> commit;
  };
  for (const Case& c :
       {Case{settled_record(), {}}, Case{pending_record(), after},
        Case{killed, after}, Case{waiting, {}}, Case{rolling_back, {}},
        Case{quarantined, {}}}) {
    CHECK(commit_under_way(c.record, noon) == c.commit);
  }
}

TEST_CASE("a new commit and a killed run do not wait") {
  Record record = pending_record();
  record.pending->next_try = noon + 5min;
  CHECK(verdict(record, at(after, commit('c'))) == Verdict::deploy);
  record.pending->running = true;
  CHECK(verdict(record, at(after, after)) == Verdict::deploy);
}

TEST_CASE("a quarantined commit is left alone until another one comes") {
  Record record = settled_record();
  record.quarantined = after;
  CHECK(verdict(record, at(before, after)) == Verdict::quarantined);
  CHECK(verdict(record, at(before, after), true) == Verdict::deploy);
  CHECK(verdict(record, at(before, commit('c'))) == Verdict::deploy);
  record.roll_back_to = before;  // the rollback itself is not done
  CHECK(verdict(record, at(before, after)) == Verdict::deploy);
}

TEST_CASE("each verdict has a name") {
  CHECK(to_string(Verdict::up_to_date) == "up-to-date");
  CHECK(to_string(Verdict::quarantined) == "quarantined");
  CHECK(to_string(Verdict::waiting) == "waiting");
  CHECK(to_string(Verdict::deploy) == "deploy");
  CHECK(to_string(Verdict::repair) == "repair");
}

}  // namespace
}  // namespace deployment
