#include "lib/deploy/run.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "lib/base/sha256.hpp"
#include "lib/base/signals.hpp"
#include "lib/checkout/run_lock.hpp"
#include "lib/deploy/report.hpp"
#include "lib/process/orphan.hpp"
#include "tests/unit/host.hpp"
#include "tests/unit/processes.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
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

// True when `parts` are in `text` one after the other.
bool has_in_order(std::string_view text,
                  std::initializer_list<std::string> parts) {
  for (const std::string& part : parts) {
    const std::size_t found = text.find(part);
    if (found == std::string_view::npos) {
      UNSCOPED_INFO("it lacks, or has too early: " << part);
      return false;
    }
    text.remove_prefix(found + part.size());
  }
  return true;
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
  fake.install();
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
  fake.install();
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
    runner.answer("rev-list --objects", failed(1));
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

// A person has changed a file that `b` changes.
class Obstructed : public FakeHost {
 public:
  Obstructed() {
    push('b');
    runner.answer("status --porcelain", printed(" M x"s + '\0'));
    runner.answer("diff-tree", printed("x"s + '\0'));
    save(deployed_a());
  }
};

TEST_CASE("a run that meets an obstacle leaves no wait") {
  Obstructed fake;
  const End end = end_of(fake);
  CHECK(end.code == exit_failed);
  CHECK(has_in_order(end.log, {"error: local changes would be overwritten",
                               "\nerror: x\nerror: what to do: ",
                               "\nerror: the deployment of bbbbbbbbbbbb"}));
  const Record record = fake.saved();
  CHECK(end.log.ends_with("\nerror: " + describe_stuck(record) + "\n"));
  REQUIRE(record.pending.has_value());
  CHECK_FALSE(record.pending->running);
  CHECK(record.pending->attempts == 0);
  CHECK(record.pending->next_try <= now());
  CHECK(record.history.empty());

  CHECK(end_of(fake).log == "error: " + describe_stuck(record) + "\n");
  CHECK(fake.saved() == record);

  fake.runner.answer("status --porcelain", printed(""));
  CHECK(end_of(fake).code == 0);
  CHECK(fake.saved().deployed == commit('b'));
  CHECK(fake.saved().remote_commit == commit('b'));
}

TEST_CASE("a person is told of a known failure in full") {
  for (const Request& request :
       {Request{.force = true}, Request{.by_hand = true}}) {
    Obstructed fake;
    end_of(fake);
    CHECK(contains(end_of(fake, request).log, "\nerror: what to do: "));
    CHECK(fake.saved().pending->attempts == 0);
  }
}

// The remote does not answer, and the record says that a run worked on `b`.
class Away : public FakeHost {
 public:
  Away() {
    push('b');
    runner.answer("ls-remote", failed(128, "fatal: no route to host\n"));
    Record record = deployed_a();
    record.pending = Pending{.tip = commit('b'), .running = true};
    save(record);
  }
};

TEST_CASE("a run goes on with what is under way while the remote is away") {
  Away fake;
  const End end = end_of(fake);
  CHECK(end.code == exit_failed);
  CHECK(has_in_order(end.log, {"error: asking origin for branch prod failed",
                               "\norigin is away; the deployment of "
                               "bbbbbbbbbbbb goes on, since its commit is "
                               "here\n",
                               "\ndeployed bbbbbbbbbbbb"}));
  const Record record = fake.saved();
  CHECK(record.deployed == commit('b'));
  CHECK(record.pending == std::nullopt);
  CHECK(record.remote_away_since.has_value());
}

TEST_CASE("a run does not go on while the remote is away") {
  struct Case {
    const char* why;
    std::function<void(Away&)> prepare;
    Request request;
  };
  for (const Case& c :
       {Case{"nothing is under way", [](Away& f) { f.save(deployed_a()); }, {}},
        Case{"it is not due", [](Away& f) { f.save(pending_b(30min)); }, {}},
        Case{"the objects are not here",
             [](Away& f) { f.runner.answer("rev-list --objects", failed(1)); },
             {}},
        Case{"force is for what the remote has",
             [](Away&) {},
             {.force = true}}}) {
    INFO(c.why);
    Away fake;
    c.prepare(fake);
    const Record before = fake.saved();
    const End end = end_of(fake, c.request);
    CHECK(end.code == exit_failed);
    CHECK(std::count(end.log.begin(), end.log.end(), '\n') == 1);
    Record after = fake.saved();
    CHECK(after.remote_away_since.has_value());
    after.remote_away_since.reset();
    CHECK(after == before);
  }
}

TEST_CASE("an exception of the library is a failure of the run") {
  FakeHost fake;
  fake.push('b');
  fake.save(deployed_a());
  fake.runner.answer("status --porcelain", [](const Command&) -> CommandResult {
    throw std::bad_alloc();
  });
  const End end = end_of(fake);
  CHECK(end.code == exit_failed);
  CHECK(end.log.starts_with("error: something unexpected: std::bad_alloc\n"));
  const Record record = fake.saved();
  REQUIRE(record.pending.has_value());
  CHECK_FALSE(record.pending->running);
  CHECK(record.pending->attempts == 1);
  CHECK(record.pending->next_try > now());
}

// `b` is deployed, and is the remote's tip; `a` was before it.
class Second : public FakeHost {
 public:
  Second() {
    push('b');
    runner.answer("rev-parse --verify", printed(id('b') + "\n"));
    runner.answer("for-each-ref",
                  printed("* " + id('b') + " refs/heads/prod\n"));
    runner.answer("rev-list --left-right", printed("0\t0\n"));
    Record record = deployed_a();
    record.deployed = commit('b');
    record.history = {Deployment{.from = commit('a'), .to = commit('b')}};
    save(record);
  }

 private:
  Variable caller_{"SUDO_USER", "alice"};
};

void check_rolled_back_by_alice(const Second& fake, const End& end) {
  CHECK(end.code == 0);
  CHECK(contains(end.log,
                 "rolling back bbbbbbbbbbbb (A subject) -> aaaaaaaaaaaa (A "
                 "subject), as alice asked\n"));
  CHECK(contains(end.log,
                 "\nwarning: rolled back to aaaaaaaaaaaa (A subject) in "));
  const Record record = fake.saved();
  CHECK(end.log.ends_with("\n" + describe_stuck(record) + "\n"));
  CHECK(record.deployed == commit('a'));
  CHECK(record.quarantined == commit('b'));
  CHECK(record.quarantined_by == "alice");
  CHECK(record.pending == std::nullopt);
  REQUIRE(record.history.size() == 2);
  CHECK(record.history[1].outcome == Outcome::rolled_back);
  CHECK(record.history[1].from == commit('b'));
  CHECK(record.history[1].by == "alice");
}

TEST_CASE("--rollback returns to the deployment before, and quarantines") {
  Second fake;
  check_rolled_back_by_alice(fake, end_of(fake, {.roll_back = true}));
}

TEST_CASE("--rollback needs no remote") {
  Second fake;
  fake.runner.answer("ls-remote", failed(128, "fatal: no route to host\n"));
  const End end = end_of(fake, {.roll_back = true});
  CHECK(end.log.starts_with("error: asking origin for branch prod failed"));
  check_rolled_back_by_alice(fake, end);
  CHECK(fake.saved().remote_away_since.has_value());
}

TEST_CASE("a quarantine that a person asked for is no failure of each run") {
  Second fake;
  end_of(fake, {.roll_back = true});
  fake.runner.answer("for-each-ref",
                     printed("* " + id('a') + " refs/heads/prod\n"));
  const End end = end_of(fake);
  CHECK(end.code == 0);
  CHECK(end.log == describe_stuck(fake.saved()) + "\n");
}

TEST_CASE("--rollback to the remote's tip deploys it") {
  Second fake;
  fake.push('a');
  const End end =
      end_of(fake, {.roll_back = true, .commit = std::string(7, 'a')});
  CHECK(end.code == 0);
  CHECK_FALSE(contains(end.log, "rolled back"));
  CHECK(fake.saved().quarantined == std::nullopt);
  CHECK(fake.saved().pending == std::nullopt);
}

TEST_CASE("--rollback refuses without an earlier deployment on record") {
  FakeHost fake;
  fake.save(deployed_a());
  CHECK(message_of<Error>([&] { end_of(fake, {.roll_back = true}); }) ==
        "there is no earlier deployment on record to roll back to");
  CHECK(fake.runner.asked.empty());
  CHECK(fake.saved() == deployed_a());
}

TEST_CASE("a run that finds the checkout locked ends with 75, asks nothing") {
  FakeHost fake;
  fake.push('b');
  fake.save(deployed_a());
  Fifo fifo(fake.folder / "fifo");
  const Helper other([&] {
    const Lock lock(Directory(fake.checkout()), std::nullopt, 0s);
    write_file(fifo.path(), "held");
    pause();
    return 0;
  });
  fifo.wait_for_text("held");
  for (const Request& request :
       {Request{}, Request{.force = true}, Request{.roll_back = true}}) {
    const auto error = error_of<Error>([&] { end_of(fake, request); });
    CHECK(error.exit_code() == exit_locked);
  }
  CHECK(fake.runner.asked.empty());
  CHECK(fake.saved() == deployed_a());
  CHECK(end_of(fake, {.dry_run = true}).code == 0);  // it only looks
}

TEST_CASE("a run that deployed but cannot tidy only warns") {
  FakeHost fake;
  fake.push('b');
  fake.save(deployed_a());
  fake.runner.answer(" gc --auto", failed(128, "fatal: no space left\n"));
  const End end = end_of(fake);
  CHECK(end.code == 0);
  CHECK(has_in_order(end.log, {"\ndeployed bbbbbbbbbbbb",
                               "\nwarning: ", "fatal: no space left\n"}));
  CHECK_FALSE(contains(end.log, "error: "));
  CHECK(fake.saved().deployed == commit('b'));
  CHECK(fake.saved().pending == std::nullopt);
}

TEST_CASE("a run looks for processes left behind only after a killed one") {
  Record killed = deployed_a();
  killed.pending = Pending{.tip = commit('b'), .running = true};
  struct Case {
    Record before;
    bool looks;
  };
  for (const Case& c : {Case{deployed_a(), false}, Case{pending_b(-1s), false},
                        Case{killed, true}}) {
    FakeHost fake;
    fake.push('b');
    fake.save(c.before);
    const Family left(fake.folder / "pipe", marked({}, fake.checkout()));
    const End end = end_of(fake);
    CHECK(end.code == 0);
    CHECK(left.parent_lives() != c.looks);
    CHECK(contains(end.log, "warning: ended 2 processes") == c.looks);
  }
}

TEST_CASE("what a git that was left moved is seen when it has ended") {
  FakeHost fake;
  fake.push('b');
  Record killed = deployed_a();
  killed.pending = Pending{.tip = commit('b'), .running = true};
  fake.save(killed);
  int asked = 0;
  fake.runner.answer("for-each-ref", [&](const Command&) {
    return printed("* " + id(++asked == 1 ? 'a' : 'b') + " refs/heads/prod\n");
  });
  fake.runner.answer(id('b') + "..." + id('b'), printed("0\t0\n"));
  CHECK(end_of(fake).code == 0);
  CHECK(fake.saved().deployed == commit('b'));
  CHECK_FALSE(fake.runner.has_run(" merge "));
}

// A host on which web runs `a`; the remote has `b`, with another package.json.
// The commands do what they should: the branch moves, an environment is what
// package.json says, and the service is restarted.
class Application : public FakeHost {
 public:
  Application() {
    config.components = {web};
    write_file(checkout() / "web/node_modules/what", "a");
    save(start());
    push('b');
    answer_for_git();
    answer_for_npm_and_systemd();
  }

  static Record start() {
    return {.deployed = commit('a'),
            .components = {
                {"web",
                 {.commit = commit('a'),
                  .inputs = {{"node", "18"}, {"package.json", sha256("a")}}}}}};
  }

  std::string in_use() const {
    return read_file(checkout() / "web/node_modules/what");
  }

  // The commands that were run, one a line.
  std::string commands() const {
    std::string text;
    for (const std::string& line : runner.lines()) {
      text += line + '\n';
    }
    return text;
  }

  // How often a command with `part` was run.
  std::size_t count(std::string_view part) const {
    const auto lines = runner.lines();
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(),
        [&](const std::string& line) { return contains(line, part); }));
  }

  // From here on a reset works, or works again.
  void let_reset_work() {
    runner.answer("reset --quiet --keep", [this](const Command& command) {
      head = contains(describe(command), id('a')) ? 'a' : 'b';
      return CommandResult{};
    });
  }

  char head = 'a';            // that the branch is at
  bool stays_up_at_b = true;  // the service

 private:
  void answer_for_git() {
    runner.answer("rev-parse --verify",
                  [this](const Command&) { return printed(id(head) + "\n"); });
    runner.answer("for-each-ref", [this](const Command&) {
      return printed("* " + id(head) + " refs/heads/prod\n");
    });
    runner.answer("rev-list --left-right", [this](const Command&) {
      return printed(head == 'a' ? "0\t1\n" : "0\t0\n");
    });
    runner.answer("ls-tree", [](const Command& command) {
      const bool is_b = contains(describe(command), id('b'));
      return printed("100644 blob " + id(is_b ? '2' : '1') +
                     "\tweb/package.json" + '\0');
    });
    runner.answer("cat-file blob " + id('1'), printed("a"));
    runner.answer("cat-file blob " + id('2'), printed("b"));
    runner.answer(" merge ", [this](const Command&) {
      head = 'b';
      return CommandResult{};
    });
    let_reset_work();
  }

  void answer_for_npm_and_systemd() {
    runner.answer("npm install", [this](const Command&) {
      write_file(host.store.staged(web) / "what", "b");
      return CommandResult{};
    });
    runner.answer("systemctl show",
                  [this](const Command&) { return printed(unit_); });
    runner.answer("systemctl restart", [this](const Command&) {
      const std::string invocation = std::to_string(++restarts_);
      unit_ = head == 'a' || stays_up_at_b
                  ? running_unit(invocation)
                  : "ActiveState=failed\nSubState=failed\nResult=exit-code\n"
                    "MainPID=0\nInvocationID=" +
                        invocation + "\nNRestarts=0\n";
      return CommandResult{};
    });
  }

  std::string unit_ = running_unit("0");
  int restarts_ = 0;
};

// The components of a record, as if it did not say how they were configured.
std::map<std::string, ComponentRecord> known(Record record) {
  for (auto& [name, component] : record.components) {
    component.configured.clear();
  }
  return record.components;
}

// `a` runs again, everywhere, and `b` is not tried again.
void check_rolled_back(const Application& app) {
  CHECK(app.head == 'a');
  CHECK(app.in_use() == "a");
  const Record record = app.saved();
  CHECK(record.deployed == commit('a'));
  CHECK(known(record) == Application::start().components);
  CHECK(record.quarantined == commit('b'));
  CHECK(record.pending == std::nullopt);
  CHECK(record.roll_back_to == std::nullopt);
  CHECK(record.moving_to == std::nullopt);
  REQUIRE(record.history.size() == 2);
  CHECK(record.history[0].outcome == Outcome::failed);
  CHECK(record.history[0].from == commit('a'));
  CHECK(record.history[0].to == commit('b'));
  CHECK(record.history[1].outcome == Outcome::rolled_back);
  CHECK(record.history[1].from == commit('b'));
  CHECK(record.history[1].to == commit('a'));
}

TEST_CASE("a run whose service stays up puts the new environment into use") {
  Application app;
  CHECK(end_of(app).code == 0);
  CHECK(app.head == 'b');
  CHECK(app.in_use() == "b");
  const Record record = app.saved();
  CHECK(record.deployed == commit('b'));
  CHECK(record.components.at("web") ==
        ComponentRecord{
            .configured = configured_as(web),
            .commit = commit('b'),
            .inputs = {{"node", "18"}, {"package.json", sha256("b")}}});
}

TEST_CASE("a run whose service does not stay up rolls back, and quarantines") {
  Application app;
  app.stays_up_at_b = false;
  const End end = end_of(app);
  CHECK(end.code == exit_failed);
  CHECK(has_in_order(
      app.commands(),
      {"npm install", " merge ", "systemctl restart web.service",
       "reset --quiet --keep " + id('a'), "systemctl restart web.service"}));
  CHECK(has_in_order(end.log,
                     {"deploying aaaaaaaaaaaa", "\nerror: web.service ",
                      "\nrolling back to aaaaaaaaaaaa",
                      "\nwarning: rolled back to aaaaaaaaaaaa", "\nerror: "}));
  CHECK(end.log.ends_with("\nerror: " + describe_stuck(app.saved()) + "\n"));
  check_rolled_back(app);
  // It need not be built again.
  const auto kept = app.host.store.find(
      web, {{"node", "18"}, {"package.json", sha256("b")}}, commit('b'));
  REQUIRE(kept.has_value());
  CHECK(read_file(*kept / "what") == "b");
  CHECK(app.count("npm install") == 1);
}

TEST_CASE("a run records that it rolls back before it takes anything back") {
  Application app;
  app.stays_up_at_b = false;
  std::optional<Record> during;
  app.runner.answer("reset --quiet --keep", [&](const Command&) {
    during = app.saved();
    app.head = 'a';
    return CommandResult{};
  });
  end_of(app);
  REQUIRE(during.has_value());
  CHECK(during->roll_back_to == commit('a'));
  CHECK(during->quarantined == commit('b'));
  REQUIRE(during->pending.has_value());
  CHECK(during->pending->tip == commit('b'));
  CHECK(during->pending->running);
  CHECK(during->deployed == commit('a'));
}

// `b` was not deployed, and is tried again.
void check_pending(const Application& app, const std::string& step) {
  CHECK(app.head == 'a');
  CHECK(app.in_use() == "a");
  const Record record = app.saved();
  CHECK(record.deployed == commit('a'));
  CHECK(known(record) == Application::start().components);
  CHECK(record.roll_back_to == std::nullopt);
  CHECK(record.quarantined == std::nullopt);
  REQUIRE(record.pending.has_value());
  CHECK(record.pending->tip == commit('b'));
  CHECK(record.pending->failure->step == step);
  CHECK(record.pending->attempts == 1);
  CHECK(record.pending->next_try > now());
  CHECK_FALSE(record.pending->running);
  CHECK(record.pending->reached == Reached::nothing);
}

TEST_CASE("a run that cannot restart a unit changes nothing, and tries again") {
  for (const CommandResult& shown :
       {failed(1, "no bus\n"),
        printed(running_unit("0") + "LoadState=masked\n")}) {
    Application app;
    app.runner.answer("systemctl show", shown);
    const End end = end_of(app);
    CHECK(end.code == exit_failed);
    CHECK(end.log.ends_with("\nerror: " + describe_stuck(app.saved()) + "\n"));
    check_pending(app, "planning");
    CHECK(app.count("npm install") == 0);
    CHECK(app.count(" merge ") == 0);
    CHECK(app.count("systemctl restart") == 0);
  }
}

TEST_CASE("a run that the host fails rolls back, and tries again") {
  struct Case {
    std::string command;
    int nth;  // the one that fails
    CommandResult result;
    std::string step;
  };
  const CommandResult hung = {.status = {.signal = 15, .timed_out = true}};
  for (const Case& c :
       {Case{"systemctl restart", 1, hung, "web: restart"},
        Case{"systemctl show", 2, failed(1, "no bus\n"), "verify"}}) {
    INFO(c.command);
    Application app;
    int asked = 0;
    int restarts = 0;
    app.runner.answer("systemctl ", [&](const Command& command) {
      const std::string line = describe(command);
      if (contains(line, c.command) && ++asked == c.nth) {
        return c.result;
      }
      restarts += contains(line, " restart ") ? 1 : 0;
      return printed(running_unit(std::to_string(restarts)));
    });
    const End end = end_of(app);
    CHECK(end.code == exit_failed);
    CHECK(has_in_order(end.log, {"\nrolling back to aaaaaaaaaaaa",
                                 "\nwarning: rolled back to aaaaaaaaaaaa"}));
    CHECK(end.log.ends_with("\nerror: " + describe_stuck(app.saved()) + "\n"));
    check_pending(app, c.step);
    CHECK(app.saved().history.size() == 2);
  }
}

TEST_CASE("an exception of the library after a restart is taken back") {
  Application app;
  int restarts = 0;
  app.runner.answer("systemctl restart", [&](const Command&) {
    if (++restarts == 1) {
      throw std::runtime_error("what nobody expects");
    }
    return CommandResult{};
  });
  app.runner.answer("systemctl show", [&](const Command&) {
    return printed(running_unit(std::to_string(restarts)));
  });
  const End end = end_of(app);
  CHECK(end.code == exit_failed);
  CHECK(has_in_order(end.log,
                     {"\nerror: something unexpected: what nobody expects\n",
                      "\nrolling back to aaaaaaaaaaaa",
                      "\nwarning: rolled back to aaaaaaaaaaaa"}));
  check_pending(app, "web: restart");
}

TEST_CASE(
    "a run that deployed but cannot tidy, whatever is thrown, only warns") {
  FakeHost fake;
  fake.push('b');
  fake.save(deployed_a());
  fake.runner.answer(" gc --auto", [](const Command&) -> CommandResult {
    throw std::runtime_error("no memory");
  });
  const End end = end_of(fake);
  CHECK(end.code == 0);
  CHECK(contains(end.log, "\nwarning: no memory\n"));
  CHECK(fake.saved().pending == std::nullopt);
}

TEST_CASE("a run that cannot make its health checks changes nothing") {
  Application app;
  app.config.components[0].health_check = "http://localhost:1/";
  app.runner.answer("curl --version", failed(127, "no such program\n"));
  CHECK(end_of(app).code == exit_failed);
  check_pending(app, "planning");
  CHECK(app.count(" merge ") == 0);
}

TEST_CASE("a run whose health check cannot be made any more rolls back") {
  Application app;
  app.config.components[0].health_check = "http://localhost:1/";
  int asked = 0;
  app.runner.answer("curl --silent", [&](const Command&) {
    return ++asked == 1 ? failed(6, "curl: (6) no such host\n")
                        : printed("200");
  });
  CHECK(end_of(app).code == exit_failed);
  check_pending(app, "verify");
  CHECK(app.count("systemctl restart") == 2);
}

// A deployment of `b` whose service did not stay up, and that cannot be taken
// back: the branch cannot be reset.
class CannotRollBack : public Application {
 public:
  CannotRollBack() {
    stays_up_at_b = false;
    runner.answer("reset --quiet --keep", failed(128, "fatal: disk full\n"));
  }
};

TEST_CASE("a rollback that fails says where everything is, and stays pending") {
  CannotRollBack app;
  const End end = end_of(app);
  CHECK(end.code == exit_failed);
  CHECK(has_in_order(
      end.log, {"\nrolling back to aaaaaaaaaaaa", "\nerror: resetting ",
                "fatal: disk full", "\ncritical: ", "aaaaaaaaaaaa", "'reset'",
                "\ncritical: ", id('b'), "\ncritical: web: ", "failed",
                "package.json", "\nerror: "}));
  const Record record = app.saved();
  CHECK(end.log.ends_with("\nerror: " + describe_stuck(record) + "\n"));
  CHECK(record.roll_back_to == commit('a'));
  CHECK(record.quarantined == commit('b'));
  CHECK(record.deployed == commit('a'));
  REQUIRE(record.pending.has_value());
  CHECK(record.pending->tip == commit('b'));
  CHECK_FALSE(record.pending->running);
  CHECK(record.pending->attempts == 2);
  CHECK(record.pending->failure->step == "reset");
  CHECK(record.pending->next_try > now());
  REQUIRE(record.history.size() == 1);
  CHECK(record.history[0].outcome == Outcome::failed);
}

TEST_CASE("a rollback that failed goes on with the next run that is due") {
  CannotRollBack app;
  end_of(app);
  app.let_reset_work();
  const Record waiting = app.saved();
  CHECK(end_of(app).log == "error: " + describe_stuck(waiting) + "\n");
  CHECK(app.head == 'b');

  Record due = waiting;
  due.pending->next_try = now();
  app.save(due);
  const End end = end_of(app);
  CHECK(end.code == exit_failed);
  CHECK(end.log.starts_with("rolling back to aaaaaaaaaaaa"));
  CHECK(end.log.ends_with("\nerror: " + describe_stuck(app.saved()) + "\n"));
  check_rolled_back(app);
  CHECK(app.count("npm install") == 1);
}

TEST_CASE("--force deploys instead of going on with a rollback") {
  CannotRollBack app;
  end_of(app);
  app.stays_up_at_b = true;
  CHECK(end_of(app, {.force = true}).code == 0);
  CHECK(app.in_use() == "b");
  const Record record = app.saved();
  CHECK(record.deployed == commit('b'));
  CHECK(record.roll_back_to == std::nullopt);
  CHECK(record.quarantined == std::nullopt);
  CHECK(record.pending == std::nullopt);
}

// `b` is the remote's tip and was taken back.
Record quarantined_b() {
  Record record = Application::start();
  record.quarantined = commit('b');
  return record;
}

TEST_CASE("--force deploys a quarantined tip") {
  Application app;
  app.save(quarantined_b());
  CHECK(end_of(app).code == exit_failed);
  CHECK(app.head == 'a');
  const End end = end_of(app, {.force = true});
  CHECK(end.code == 0);
  CHECK(contains(end.log, "\ndeployed bbbbbbbbbbbb"));
  CHECK(app.head == 'b');
  CHECK(app.in_use() == "b");
  const Record record = app.saved();
  CHECK(record.deployed == commit('b'));
  CHECK(record.quarantined == std::nullopt);
  CHECK(record.pending == std::nullopt);
}

TEST_CASE("a forced deployment of what is deployed goes back as well") {
  Application app;
  app.push('a');
  app.runner.answer("rev-list --left-right", printed("0\t0\n"));
  app.runner.answer("npm install", [&](const Command&) {
    write_file(app.host.store.staged(web) / "what", "anew");
    return CommandResult{};
  });
  int restarts = 0;
  app.runner.answer("systemctl restart", [&](const Command&) {
    ++restarts;
    return CommandResult{};
  });
  app.runner.answer("systemctl show", [&](const Command&) {
    const std::string state = running_unit(std::to_string(restarts));
    return printed(app.in_use() == "anew"
                       ? "ActiveState=failed" + state.substr(state.find('\n'))
                       : state);
  });
  const End end = end_of(app, {.force = true});
  CHECK(end.code == exit_failed);
  CHECK(has_in_order(end.log, {"put the new node_modules into use",
                               "\nrolling back to aaaaaaaaaaaa",
                               "put the kept node_modules into use",
                               "\nwarning: rolled back to aaaaaaaaaaaa"}));
  CHECK(app.in_use() == "a");
  CHECK(app.count("npm install") == 1);
  const Record record = app.saved();
  CHECK(record.deployed == commit('a'));
  CHECK(known(record) == Application::start().components);
  CHECK(record.quarantined == std::nullopt);
  CHECK(record.roll_back_to == std::nullopt);
}

TEST_CASE("a first deployment that fails says why it is not taken back") {
  Application app;
  app.stays_up_at_b = false;
  std::filesystem::remove_all(app.checkout() / "web/node_modules");
  app.save(Record{});
  const End end = end_of(app);
  CHECK(end.code == exit_failed);
  CHECK(contains(end.log,
                 "\nwarning: not rolled back: nothing was deployed before\n"));
  CHECK(app.head == 'b');
  // Once: after that it is known.
  Record due = app.saved();
  due.pending->next_try = now();
  app.save(due);
  CHECK_FALSE(contains(end_of(app).log, "not rolled back"));
}

TEST_CASE("a run that fails removes what failed ones before it have built") {
  Application app;
  for (const char digit : {'1', '2', '3', '4'}) {
    app.host.store.open_stage();
    write_file(app.host.store.staged(web) / "what", "failed");
    app.host.store.keep_staged(web, {{"package.json", std::string(64, digit)}});
  }
  app.runner.answer("npm install", failed(1, "no such package\n"));
  CHECK(end_of(app).code == exit_failed);
  const auto kept = Directory(app.checkout())
                        .folder(".git/deployment-update/environments/web")
                        .names();
  CHECK(std::set(kept.begin(), kept.end()) == std::set<std::string>{"3", "4"});
}

TEST_CASE("a tip that fails with --force is quarantined again, and no more") {
  Application app;
  app.stays_up_at_b = false;
  app.save(quarantined_b());
  CHECK(end_of(app, {.force = true}).code == exit_failed);
  check_rolled_back(app);
  // The way back builds nothing, though it is forced.
  CHECK(app.count("npm install") == 1);
  CHECK(app.count("systemctl restart") == 2);
}

}  // namespace
}  // namespace deployment
