#include "lib/deploy/deploy.hpp"

#include "lib/base/signals.hpp"
#include "lib/deploy/report.hpp"
#include "tests/unit/host.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Outcome = Deployment::Outcome;

// A run's exit code, and the text that it printed and logged.
struct End {
  int code = -1;
  std::string out;
  std::string log;
};

End end_of(FakeHost& fake, const Request& request = {}) {
  End end;
  const std::size_t logged_before = fake.log.text().size();
  end.out = printed_by(
      [&] { end.code = run(fake.config, request, fake.log.log, fake.runner); });
  end.log = fake.log.text().substr(logged_before);
  return end;
}

Record deployed_a() {
  return {.deployed = commit('a'),
          .components = {{"web", {.commit = commit('a')}},
                         {"api", {.commit = commit('a')}}}};
}

// `b` failed twice, and is tried again after `wait`.
Record pending_b(std::chrono::seconds wait) {
  Record record = deployed_a();
  record.pending =
      Pending{.tip = commit('b'),
              .failure = Failure{.step = "build", .error = "npm exited"},
              .attempts = 2,
              .next_try = now() + wait};
  return record;
}

TEST_CASE("a run with nothing to do says so and writes no record") {
  FakeHost fake;
  const End end = end_of(fake);
  CHECK(end.code == 0);
  CHECK(end.out == no_changes);
  CHECK(end.log.empty());
  CHECK_FALSE(std::filesystem::exists(*fake.config.state_dir));
}

TEST_CASE("a run fails while the remote is away, and records since when") {
  FakeHost fake;
  fake.runner.answer("ls-remote", failed(128, "fatal: no route to host\n"));
  const End end = end_of(fake);
  CHECK(end.code == exit_failed);
  CHECK(end.out.empty());
  CHECK(end.log.starts_with("error: asking origin for branch prod failed"));
  CHECK(fake.saved().remote_away_since.has_value());
  CHECK(fake.saved().pending == std::nullopt);
}

TEST_CASE("a run says that the remote answers again") {
  FakeHost fake;
  fake.save({.remote_away_since = now() - 2h});
  const End end = end_of(fake);
  CHECK(end.code == 0);
  CHECK(end.log.starts_with("origin answers again; it was away for 2 h"));
  CHECK(fake.saved() == Record{});
}

TEST_CASE("a run only says that a deployment is pending before it is due") {
  FakeHost fake;
  fake.push('b');
  const Record record = pending_b(30min);
  fake.save(record);
  const End end = end_of(fake);
  CHECK(end.code == exit_failed);
  CHECK(end.out.empty());
  CHECK(end.log == "error: " + describe_stuck(record) + "\n");
  CHECK(fake.saved() == record);
}

TEST_CASE("a run leaves a quarantined tip alone") {
  FakeHost fake;
  fake.push('b');
  Record record = deployed_a();
  record.quarantined = commit('b');
  fake.save(record);
  const End end = end_of(fake);
  CHECK(end.code == exit_failed);
  CHECK(end.log == "error: " + describe_stuck(record) + "\n");
  CHECK(fake.saved() == record);
}

TEST_CASE("a run deploys the tip, and says how often that had failed") {
  struct Case {
    Record before;
    std::string line;
  };
  for (const Case& c :
       {Case{deployed_a(), " s\n"},
        Case{pending_b(-1s), " s, after it had failed 2 times\n"}}) {
    FakeHost fake;
    fake.push('b');
    fake.save(c.before);
    const End end = end_of(fake);
    CHECK(end.code == 0);
    CHECK(end.out.empty());
    CHECK(end.log.starts_with(
        "deploying aaaaaaaaaaaa (A subject) -> bbbbbbbbbbbb (A subject)\n"));
    CHECK(contains(end.log, "\ndeployed bbbbbbbbbbbb (A subject) in "));
    CHECK(end.log.ends_with(c.line));
    const Record record = fake.saved();
    CHECK(record.deployed == commit('b'));
    CHECK(record.pending == std::nullopt);
    REQUIRE(record.history.size() == 1);
    CHECK(record.history[0].outcome == Outcome::deployed);
    CHECK(record.history[0].from == commit('a'));
  }
}

// The remote is at `b`, which the checkout does not have and cannot fetch.
class CannotFetch : public FakeHost {
 public:
  CannotFetch() {
    push('b');
    runner.answer("cat-file -e", failed(1));
    runner.answer(" fetch ", failed(128, "fatal: early EOF\n"));
    save(deployed_a());
  }
};

const std::string fetch_line =
    "fetch bbbbbbbbbbbb: the remote has it, the checkout does not\n";

TEST_CASE("a run that fails leaves the deployment pending for a minute") {
  CannotFetch fake;
  const Time before = now();
  const End end = end_of(fake);
  CHECK(end.code == exit_failed);
  CHECK(end.log.starts_with(fetch_line + "error: fetching "));
  CHECK(contains(end.log, "\nerror: fatal: early EOF\nerror: what to do: "));
  const Record record = fake.saved();
  CHECK(end.log.ends_with("\nerror: " + describe_stuck(record) + "\n"));
  REQUIRE(record.pending.has_value());
  CHECK(record.pending->tip == commit('b'));
  CHECK_FALSE(record.pending->running);
  CHECK(record.pending->attempts == 1);
  CHECK(record.pending->failure->step == "fetch");
  CHECK(record.pending->next_try >= before + 1min);
  CHECK(record.pending->next_try <= now() + 1min);
  CHECK(record.history.empty());
}

TEST_CASE("a run that fails as the one before says only what is pending") {
  CannotFetch fake;
  end_of(fake);
  Record due = fake.saved();
  due.pending->next_try = now();
  fake.save(due);
  const End end = end_of(fake);
  CHECK(end.code == exit_failed);
  CHECK(end.log ==
        fetch_line + "error: " + describe_stuck(fake.saved()) + "\n");
  CHECK(fake.saved().pending->attempts == 2);
}

TEST_CASE("a run that is interrupted is continued by the next one") {
  CannotFetch fake;
  fake.runner.answer(" fetch ", [](const Command&) -> CommandResult {
    throw Interrupted(SIGTERM);
  });
  CHECK_THROWS_AS(end_of(fake), Interrupted);
  const Record record = fake.saved();
  REQUIRE(record.pending.has_value());
  CHECK_FALSE(record.pending->running);
  CHECK(record.pending->attempts == 0);
  CHECK(record.pending->next_try <= now());
  CHECK(record.pending->failure ==
        Failure{.step = "fetch", .error = "interrupted by SIGTERM"});
}

TEST_CASE("--rollback returns to the deployment before, and quarantines") {
  FakeHost fake;
  fake.push('b');
  fake.runner.answer("rev-parse --verify", printed(id('b') + "\n"));
  fake.runner.answer("for-each-ref",
                     printed("* " + id('b') + " refs/heads/prod\n"));
  fake.runner.answer("rev-list --left-right", printed("0\t0\n"));
  Record record = deployed_a();
  record.deployed = commit('b');
  record.history = {Deployment{.from = commit('a'), .to = commit('b')}};
  fake.save(record);
  const End end = end_of(fake, {.roll_back = true});
  CHECK(end.code == 0);
  CHECK(end.log.starts_with("rolling back to aaaaaaaaaaaa (A subject)\n"));
  CHECK(contains(end.log,
                 "\nwarning: rolled back to aaaaaaaaaaaa (A subject) in "));
  record = fake.saved();
  CHECK(end.log.ends_with("\n" + describe_stuck(record) + "\n"));
  CHECK(record.deployed == commit('a'));
  CHECK(record.quarantined == commit('b'));
  CHECK(record.pending == std::nullopt);
  REQUIRE(record.history.size() == 2);
  CHECK(record.history[1].outcome == Outcome::rolled_back);
}

TEST_CASE("--rollback refuses without an earlier deployment on record") {
  FakeHost fake;
  fake.save(deployed_a());
  CHECK(message_of<Error>([&] { end_of(fake, {.roll_back = true}); }) ==
        "there is no earlier deployment on record to roll back to");
  CHECK(fake.runner.asked.empty());
  CHECK(fake.saved() == deployed_a());
}

}  // namespace
}  // namespace deployment
