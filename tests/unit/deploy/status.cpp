#include "lib/deploy/status.hpp"

#include <algorithm>

#include "tests/unit/host.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Outcome = Deployment::Outcome;

constexpr Time noon{1'700'000'000s};  // 2023-11-14T22:13:20Z

// `a` is deployed, and `b` failed.
Record failing_record() {
  Record record;
  record.deployed = commit('a');
  record.components["web"] = {.commit = commit('a'),
                              .inputs = {{"package.json", "1f"}},
                              .listens = {{.port = 3000}}};
  record.components["api"] = {.unverified_commit = commit('b')};
  record.released = {{"api", commit('b')}};
  record.pending =
      Pending{.tip = commit('b'),
              .failure = Failure{.step = "web: install", .error = "npm exited"},
              .attempts = 2,
              .since = noon,
              .next_try = noon + 2min};
  record.history = {{.ended = noon - 1h,
                     .outcome = Outcome::deployed,
                     .duration = 90s,
                     .to = commit('a')},
                    {.ended = noon,
                     .outcome = Outcome::failed,
                     .duration = 3s,
                     .from = commit('a'),
                     .to = commit('b')}};
  return record;
}

std::string status_of(FakeHost& fake, bool json = false) {
  return describe_status(fake.config, json, fake.log.log, fake.runner);
}

std::string status_of(const Record& record, bool json = false) {
  FakeHost fake;
  fake.save(record);
  const std::string text = status_of(fake, json);
  CHECK(fake.saved() == record);
  CHECK(fake.log.text().empty());
  return text;
}

TEST_CASE("tells that nothing was deployed yet") {
  FakeHost fake;
  CHECK(status_of(fake) == "nothing is deployed yet\nrecord     " +
                               (fake.folder / "state/record").string() +
                               "\nhistory    deployment-update --history\n");
  CHECK_FALSE(std::filesystem::exists(fake.folder / "state"));
  CHECK(fake.runner.asked.empty());
}

// The commit has a package.json in web and nothing of api; web's service died,
// and its environment is gone.
void break_web(FakeHost& fake) {
  fake.runner.answer("ls-tree ", [](const Command& command) {
    const bool is_asked =
        std::ranges::count(command.arguments, "web/package.json") != 0;
    return is_asked ? printed("100644 blob " + id('1') + "\tweb/package.json" +
                              std::string(1, '\0'))
                    : CommandResult{};
  });
  fake.runner.answer("cat-file blob", printed("{}"));
  fake.runner.answer(
      "web.service",
      printed("ActiveState=failed\nSubState=failed\nResult=exit-code\n"
              "MainPID=0\nInvocationID=\nNRestarts=0\n"));
  fake.runner.answer("api.service", printed(running_unit("1")));
}

TEST_CASE("tells what is deployed and what is pending, in words") {
  FakeHost fake;
  fake.save(failing_record());
  break_web(fake);
  CHECK(status_of(fake) ==
        "not up to date: the deployment failed at 'web: install'\n"
        "since      2023-11-14T22:13:20Z, 2 times\n"
        "next       again at 2023-11-14T22:15:20Z, or now: deployment-update "
        "--force\n"
        "error      npm exited\n"
        "pending    A subject (bbbbbbbbbbbb)\n"
        "deployed   A subject (2023-11-14T21:13:20Z, aaaaaaaaaaaa)\n"
        "api        api.service is active (running)\n"
        "           the deployed commit has nothing of it\n"
        "           restarted on bbbbbbbbbbbb, not verified yet\n"
        "web        web.service is failed (failed)\n"
        "           its node_modules is not the one that was deployed\n"
        "           listened on [::]:3000 when it was verified\n"
        "           on aaaaaaaaaaaa\n"
        "released   api for bbbbbbbbbbbb\n"
        "record     " +
            (fake.folder / "state/record").string() +
            "\nhistory    deployment-update --history\n");
}

TEST_CASE("tells what is checked out when that is not what is deployed") {
  FakeHost fake;
  Record record = failing_record();
  record.deployed = commit('b');
  fake.save(record);
  CHECK(contains(status_of(fake),
                 "\n           A subject (aaaaaaaaaaaa) is checked out\n"));
}

TEST_CASE("tells what is deployed and what is pending, as JSON") {
  FakeHost fake;
  fake.save(failing_record());
  break_web(fake);
  CHECK(status_of(fake, true) ==
        json("{'held':null,'deployed':{'commit':'<a>','subject':'A subject',"
             "'time':'2023-11-14T21:13:20Z'},'checked_out':'<a>',"
             "'pending':{'commit':'<b>','subject':'A subject',"
             "'running':false,'failed_step':'web: install',"
             "'error':'npm exited','deferred_since':null,'attempts':2,"
             "'since':'2023-11-14T22:13:20Z',"
             "'next_try':'2023-11-14T22:15:20Z'},"
             "'quarantined':null,'quarantined_by':'','quarantined_step':'','"
             "quarantined_error':'','remote_away_since':null,"
             "'released':{'api':'<b>'},"
             "'components':{'api':{'commit':'','inputs':{},'root':'',"
             "'listens':[],"
             "'services':{'api.service':'active (running)'},"
             "'trouble':'the deployed commit has nothing of it'},"
             "'web':{'commit':'<a>','inputs':{'package.json':'1f'},"
             "'root':'','listens':['[::]:3000'],"
             "'services':{'web.service':'failed (failed)'},"
             "'trouble':'its node_modules is not the one that was deployed'}},"
             "'history':[{'ended':'2023-11-14T21:13:20Z',"
             "'outcome':'deployed','seconds':90,'from':'','to':'<a>',"
             "'by':'','invocation_id':''},"
             "{'ended':'2023-11-14T22:13:20Z','outcome':'failed',"
             "'seconds':3,'from':'<a>','to':'<b>','by':'',"
             "'invocation_id':''}],"
             "'checkout':'','record':'" +
             (fake.folder / "state/record").string() + "'}\n"));
}

TEST_CASE("tells by nulls and empty texts in JSON that nothing is known") {
  FakeHost fake;
  CHECK(status_of(fake, true)
            .starts_with(json(
                "{'held':null,'deployed':{'commit':'','subject':'','time':''},'"
                "checked_out':'"
                "','pending':null,"
                "'quarantined':null,'quarantined_by':'','quarantined_step':'','"
                "quarantined_error':'','remote_away_since':null,"
                "'released':{},'components':{},"
                "'history':[],")));
}

TEST_CASE("tells since when the gate says not now") {
  Record record;
  record.pending =
      Pending{.tip = commit('b'),
              .failure = Failure{.step = "gate", .error = "closed"},
              .deferred_since = Time(1'700'000'000s)};
  CHECK(
      status_of(record).starts_with("not up to date: the gate says not now\n"
                                    "since      2023-11-14T22:13:20Z\n"
                                    "next       each run asks again\n"
                                    "gate       closed\n"));
}

TEST_CASE("tells that a run is at work, and not of failures it never had") {
  Record record;
  record.pending = Pending{.tip = commit('b'), .running = true};
  const std::string text = status_of(record);
  CHECK(text.starts_with(
      "not up to date: a deployment is in progress, or was killed\n"));
  CHECK_FALSE(contains(text, "failed at"));
  CHECK(contains(status_of(record, true), json("'running':true")));
}

TEST_CASE("promises no time where each run looks again") {
  Record record = failing_record();
  record.pending->attempts = 0;
  CHECK(status_of(record).starts_with(
      "not up to date: the deployment stopped at 'web: install'\n"
      "since      2023-11-14T22:13:20Z\n"
      "next       each run looks again\n"));
}

TEST_CASE("tells since when it is quarantined, whatever was repaired since") {
  Record record;
  record.quarantined = commit('b');
  record.history = {{.ended = noon,
                     .outcome = Outcome::rolled_back,
                     .from = commit('b'),
                     .to = commit('a'),
                     .invocation_id = "1234"},
                    {.ended = noon + 1h,
                     .outcome = Outcome::deployed,
                     .from = commit('a'),
                     .to = commit('a')}};
  const std::string text = status_of(record);
  CHECK(contains(text, "\nsince      2023-11-14T22:13:20Z\n"));
  CHECK(
      contains(text, "\nlog        journalctl _SYSTEMD_INVOCATION_ID=1234\n"));
}

TEST_CASE("tells which commit is quarantined") {
  Record record;
  record.quarantined = commit('b');
  const std::string text = status_of(record);
  CHECK(text.starts_with(
      "not up to date: the commit that was pushed is quarantined\n"
      "next       push a fix, or try that commit again: deployment-update "
      "--force\n"));
  CHECK(contains(text, "\nquarantine A subject (bbbbbbbbbbbb)\n"));
  CHECK(contains(status_of(record, true), json("'quarantined':'<b>'")));
}

TEST_CASE("tells who asked for what, and which journal tells of it") {
  Record record;
  record.quarantined = commit('b');
  record.quarantined_by = "alice";
  record.history = {{.ended = noon,
                     .outcome = Outcome::rolled_back,
                     .duration = 3s,
                     .from = commit('b'),
                     .to = commit('a'),
                     .by = "alice",
                     .invocation_id = "0f"}};
  const std::string text = status_of(record);
  CHECK(
      text.starts_with("not up to date, as alice asked\n"
                       "since      2023-11-14T22:13:20Z\n"));
  CHECK(contains(text, "\nlog        journalctl _SYSTEMD_INVOCATION_ID=0f\n"));
  CHECK(contains(text,
                 "\nquarantine A subject (bbbbbbbbbbbb), as alice asked\n"));
  const std::string in_json = status_of(record, true);
  CHECK(contains(in_json, json("'quarantined_by':'alice'")));
  CHECK(contains(in_json, json("'by':'alice','invocation_id':'0f'")));
}

TEST_CASE("shows a tab of an error as a blank") {
  Record record = failing_record();
  record.pending->failure->error = "npm error a\tb";
  CHECK(contains(status_of(record), "\nerror      npm error a b\n"));
}

TEST_CASE("tells since when the remote is away") {
  Record record;
  record.remote_away_since = noon;
  CHECK(contains(status_of(record),
                 "\nremote     away since 2023-11-14T22:13:20Z\n"));
  CHECK(contains(status_of(record, true),
                 json("'remote_away_since':'2023-11-14T22:13:20Z'")));
}

TEST_CASE("leaves out what git or the history does not tell") {
  FakeHost fake;
  fake.save({.deployed = commit('a')});
  fake.runner.answer("log -1", failed(128, "fatal: bad object\n"));
  CHECK(contains(status_of(fake), "\ndeployed   aaaaaaaaaaaa\n"));
  CHECK(contains(status_of(fake, true), json("'subject':'','time':''")));
}

TEST_CASE("tells the time of the last deployment of the commit") {
  Record record;
  record.deployed = commit('a');
  for (const Outcome outcome :
       {Outcome::deployed, Outcome::deployed, Outcome::failed}) {
    const auto later = std::chrono::hours(record.history.size());
    record.history.push_back(
        {.ended = noon + later, .outcome = outcome, .to = commit('a')});
  }
  CHECK(contains(
      status_of(record),
      "\ndeployed   A subject (2023-11-14T23:13:20Z, aaaaaaaaaaaa)\n"));
}

TEST_CASE("lets no subject move the cursor") {
  FakeHost fake;
  fake.save({.deployed = commit('a')});
  fake.runner.answer("log -1", printed("red\x1b[31m\n"));
  CHECK(contains(status_of(fake), " red\\x1b[31m ("));
  CHECK_FALSE(contains(status_of(fake, true), "\x1b"));
}

TEST_CASE("refuses to make a status of a record that cannot be read") {
  FakeHost fake;
  write_file(fake.folder / "state/record", "no record");
  CHECK_THROWS_AS(status_of(fake), Error);
}

}  // namespace
}  // namespace deployment
