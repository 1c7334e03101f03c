#include "lib/deploy/report.hpp"

#include <unistd.h>

#include "tests/unit/host.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const Plan plan = {.change = Change{.from = commit('a'),
                                    .from_subject = "Old",
                                    .to = commit('b'),
                                    .to_subject = "New"}};

// Its checkout is for somebody to whom no file in it belongs.
class ForeignHost : public FakeHost {
 public:
  ForeignHost() {
    host.user = find_user(geteuid());
    host.user->uid += 1;
    host.user->name = "ubuntu";
    write_file(checkout() / ".git/index", "");
  }

  // The line about the files below `below`; `first` is one of them.
  std::string complaint(const fs::path& below, const fs::path& first) const {
    return "not all files below " + below.string() +
           " belong to ubuntu: " + first.string() +
           " does not; if they are in the way: chown -R " +
           "ubuntu: " + checkout().string() + "\n";
  }
};

TEST_CASE("an error in one line says what failed, and why") {
  struct Case {
    std::string text;
    std::string line;
  };
  for (const Case& c : {
           Case{"one\n", "one"},
           Case{"nothing was changed:\nfile", "nothing was changed: file"},
           Case{"asking failed\nnoise\nlast", "asking failed: last"},
           Case{"asking failed\nfatal: no such host\nhint: try",
                "asking failed: fatal: no such host"},
           Case{"npm failed\nnpm error code E404\nnpm error more",
                "npm failed: npm error code E404"},
           Case{"asking failed\nHost key verification failed.\nfatal: Could "
                "not read from remote repository.\n\nPlease",
                "asking failed: Host key verification failed."},
       }) {
    CHECK(one_line(c.text) == c.line);
  }
}

TEST_CASE("a pending deployment names commit, step, tries and the next try") {
  Record record;
  record.pending = {.tip = commit('b'),
                    .failure = Failure{.step = "build", .error = "no"},
                    .attempts = 1,
                    .next_try = Time(0s)};
  CHECK(describe_stuck(record) ==
        "the deployment of bbbbbbbbbbbb is pending: 'build' failed (once so "
        "far): no; next try at 1970-01-01T00:00:00Z, or now with --force");
  record.roll_back_to = commit('a');
  CHECK(describe_stuck(record) ==
        "the rollback to aaaaaaaaaaaa is pending: 'build' failed (once so "
        "far): no; next try at 1970-01-01T00:00:00Z, or now with --rollback, "
        "which leaves bbbbbbbbbbbb out until another commit comes");
  record.quarantined = record.pending->tip;
  CHECK(describe_stuck(record).ends_with(", or now with --rollback"));
}

TEST_CASE("a quarantine that a person asked for is no failure") {
  Record record;
  record.quarantined = commit('b');
  TextLog bad;
  CHECK(report_stuck(record, bad.log) == exit_failed);
  CHECK(bad.text() == "error: " + describe_stuck(record) + "\n");
  record.quarantined_by = "alice";
  CHECK(describe_stuck(record).starts_with(
      "bbbbbbbbbbbb is quarantined, as alice asked; nothing stays deployed"));
  TextLog good;
  CHECK(report_stuck(record, good.log) == 0);
  CHECK(good.text() == describe_stuck(record) + "\n");
  // While the rollback is not done it is a failure all the same.
  record.pending = Pending{.tip = commit('b')};
  CHECK(exit_code_of_stuck(record) == exit_failed);
}

TEST_CASE("who asked for a rollback is not who asked for another one") {
  Record record;
  record.quarantined = commit('b');
  record.quarantined_by = "alice";
  CHECK(asked_by(record) == "alice");
  record.pending = Pending{.tip = commit('b')};
  CHECK(asked_by(record) == "alice");
  record.pending->tip = commit('c');
  CHECK(asked_by(record).empty());
}

TEST_CASE("without the remote the last commit that is known is its") {
  struct Case {
    std::optional<Pending> pending;
    std::string tracking;  // a line of git for-each-ref
    bool has_it;
    char tip;
  };
  const std::string tracking = "  " + id('b') + " refs/remotes/origin/prod\n";
  for (const Case& c :
       {Case{std::nullopt, "", true, 'a'},
        Case{std::nullopt, tracking, true, 'b'},
        Case{std::nullopt, tracking, false, 'a'},
        Case{Pending{.tip = commit('c')}, tracking, true, 'c'}}) {
    FakeHost fake;
    fake.runner.answer(
        "for-each-ref",
        printed("* " + id('a') + " refs/heads/prod\n" + c.tracking));
    fake.runner.answer("rev-list --objects", failed(c.has_it ? 0 : 1));
    const Record record = {.deployed = commit('a'), .pending = c.pending};
    CHECK(heads_without_remote(fake.host, record, commit('0')).tip ==
          commit(c.tip));
    CHECK_FALSE(fake.runner.has_run("ls-remote"));
  }
}

TEST_CASE("what no attempt failed at is looked at by each run") {
  Record record;
  record.pending = {.tip = commit('b'),
                    .failure = Failure{.step = "planning", .error = "no"}};
  CHECK(describe_stuck(record) ==
        "the deployment of bbbbbbbbbbbb is pending: 'planning' failed: no; "
        "each run looks again");
}

TEST_CASE("a quarantine names both commits") {
  Record record;
  record.quarantined = commit('b');
  CHECK(describe_stuck(record).starts_with(
      "bbbbbbbbbbbb is quarantined; nothing stays deployed until"));
  record.deployed = commit('a');
  CHECK(
      contains(describe_stuck(record), "; aaaaaaaaaaaa stays deployed until"));
}

TEST_CASE("says which commit is deployed") {
  const FakeHost fake;
  say_what_begins(fake.host, {}, plan);
  CHECK(fake.log.text() ==
        "deploying aaaaaaaaaaaa (Old) -> bbbbbbbbbbbb (New)\n");
}

TEST_CASE("says that it goes back") {
  const FakeHost fake;
  say_what_begins(fake.host, {.roll_back_to = commit('b')}, plan);
  CHECK(fake.log.text() == "rolling back to bbbbbbbbbbbb (New)\n");
}

TEST_CASE("says why environments are built in place") {
  const FakeHost fake;
  Plan in_place = plan;
  in_place.in_place_reason = "build = in-place";
  say_what_begins(fake.host, {}, in_place);
  CHECK(contains(fake.log.text(),
                 "\nenvironments are built in place: build = in-place\n"));
}

TEST_CASE("warns of files in .git that belong to somebody else") {
  const ForeignHost fake;
  write_file(fake.checkout() / "web/package.json", "");
  say_what_begins(fake.host, {}, plan);
  CHECK(fake.log.text() ==
        "deploying aaaaaaaaaaaa (Old) -> bbbbbbbbbbbb (New)\nwarning: " +
            fake.complaint(fake.checkout() / ".git",
                           fake.checkout() / ".git/index"));
}

TEST_CASE("says what failed and what to do about it") {
  const FakeHost fake;
  say_failure(fake.host, Error("installing web failed", "look at it"));
  CHECK(fake.log.text() ==
        "error: installing web failed\nerror: what to do: look at it\n");
}

TEST_CASE("gives the general advice for an error that has none") {
  const FakeHost fake;
  say_failure(fake.host, Error("x"));
  CHECK(contains(fake.log.text(), "\nerror: what to do: push a fix; "));
}

TEST_CASE("names foreign files only when a permission was denied") {
  struct Case {
    std::string error;
    bool names_files;
  };
  for (const Case& c :
       {Case{"error: cannot open x: Permission denied", true},
        Case{"fatal: detected dubious ownership in repository", true},
        Case{"npm error code EACCES", true},
        Case{"no space left on device", false}}) {
    INFO(c.error);
    const ForeignHost fake;
    say_failure(fake.host, Error(c.error, "look at it"));
    const std::string advice = "error: what to do: look at it\n";
    const std::string complaint =
        "error: " + fake.complaint(fake.checkout(), fake.checkout() / ".git");
    CHECK(fake.log.text() == "error: " + c.error + "\n" + advice +
                                 (c.names_files ? complaint : ""));
  }
}

TEST_CASE("names no foreign file in a checkout of its own") {
  const FakeHost fake;
  say_failure(fake.host, Error("cannot open x: Permission denied", "chmod"));
  CHECK_FALSE(contains(fake.log.text(), "do not belong"));
}

TEST_CASE("tells where everything is after a rollback that failed") {
  FakeHost fake;
  fake.runner.answer("DropInPaths web.service", printed(running_unit("1")));
  fake.runner.answer("DropInPaths api.service",
                     printed("ActiveState=failed\nSubState=failed\n"
                             "Result=exit-code\nMainPID=0\nInvocationID=1\n"
                             "NRestarts=0\n"));
  fs::create_directories(fake.checkout() / "web/node_modules");
  fake.host.store.set_live_label(web, {.served = commit('b')});
  say_mixture(fake.host, {.roll_back_to = commit('c')}, "web: restart");
  CHECK(fake.log.text() ==
        "critical: the rollback to cccccccccccc failed at 'web: restart'\n"
        "critical: the checkout is at " +
            id('a') +
            "\ncritical: web: web.service is active (running); node_modules "
            "was made from: served " +
            id('b') +
            "\ncritical: api: api.service is failed (failed); venv was made "
            "from: not known\n");
}

TEST_CASE("tells why a question about the mixture has no answer") {
  FakeHost fake;
  fake.runner.answer("rev-parse", failed(128, "fatal: not a repository\n"));
  fake.runner.answer("systemctl show", failed(1, "no bus\n"));
  say_mixture(fake.host, {.roll_back_to = commit('c')}, "web: restart");
  const std::string text = fake.log.text();
  CHECK(contains(text,
                 "the checkout is at looking at the checked out commit "
                 "failed: git rev-parse --verify --end-of-options HEAD exited "
                 "with code 128: fatal: not a repository\n"));
  CHECK(contains(text, "web.service is asking for the state of web.service "));
  CHECK(contains(text, "exited with code 1: no bus; node_modules was "));
}

}  // namespace
}  // namespace deployment
