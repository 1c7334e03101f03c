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
  return decide({}, record, heads, noon, force);
}

TEST_CASE("nothing new is up to date, a new tip is deployed") {
  CHECK(verdict(settled_record(), at(before, before)) == Verdict::up_to_date);
  CHECK(verdict(settled_record(), at(before, after)) == Verdict::deploy);
}

TEST_CASE("a record without a deployment adopts what is checked out") {
  CHECK(verdict({}, at(before, before)) == Verdict::up_to_date);
  CHECK(verdict({}, at(before, after)) == Verdict::deploy);
}

TEST_CASE("whatever is not done is deployed") {
  Record unknown_component = settled_record();
  unknown_component.components.erase("backend");
  Record other_commit = settled_record();
  other_commit.deployed = after;
  Record rolls_back = settled_record();
  rolls_back.roll_back_to = after;
  for (const Record& record : {unknown_component, other_commit, rolls_back}) {
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
}

}  // namespace
}  // namespace deployment
