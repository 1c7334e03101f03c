#include "lib/deploy/status.hpp"

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
  CHECK(status_of(fake) == "deployed   nothing yet\nrecord     " +
                               (fake.folder / "state/record").string() + "\n");
  CHECK_FALSE(std::filesystem::exists(fake.folder / "state"));
  CHECK(fake.runner.asked.empty());
}

TEST_CASE("tells what is deployed and what is pending, in words") {
  FakeHost fake;
  fake.save(failing_record());
  CHECK(status_of(fake) ==
        "deployed   aaaaaaaaaaaa (A subject), 2023-11-14T21:13:20Z\n"
        "pending    bbbbbbbbbbbb (A subject)\n"
        "           failed at 'web: install', 2 times since "
        "2023-11-14T22:13:20Z; next try at 2023-11-14T22:15:20Z\n"
        "           npm exited\n"
        "released   bbbbbbbbbbbb for api\n"
        "api        -\n"
        "web        aaaaaaaaaaaa\n"
        "           1f  package.json\n"
        "           listens on [::]:3000\n"
        "history    2023-11-14T21:13:20Z  deployed    - -> aaaaaaaaaaaa  1 min "
        "30 s\n"
        "history    2023-11-14T22:13:20Z  failed      aaaaaaaaaaaa -> "
        "bbbbbbbbbbbb  3.0 s\n"
        "record     " +
            (fake.folder / "state/record").string() + "\n");
}

TEST_CASE("tells what is deployed and what is pending, as JSON") {
  FakeHost fake;
  fake.save(failing_record());
  CHECK(status_of(fake, true) ==
        json("{'deployed':{'commit':'<a>','subject':'A subject',"
             "'time':'2023-11-14T21:13:20Z'},"
             "'pending':{'commit':'<b>','subject':'A subject',"
             "'running':false,'failed_step':'web: install',"
             "'error':'npm exited','attempts':2,"
             "'since':'2023-11-14T22:13:20Z',"
             "'next_try':'2023-11-14T22:15:20Z'},"
             "'quarantined':null,'quarantined_by':'','remote_away_since':null,"
             "'released':{'api':'<b>'},"
             "'components':{'api':{'commit':'','inputs':{},'listens':[]},"
             "'web':{'commit':'<a>','inputs':{'package.json':'1f'},"
             "'listens':['[::]:3000']}},"
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
  CHECK(
      status_of(fake, true)
          .starts_with(json(
              "{'deployed':{'commit':'','subject':'','time':''},'pending':null,"
              "'quarantined':null,'quarantined_by':'','remote_away_since':null,"
              "'released':{},'components':{},"
              "'history':[],")));
}

TEST_CASE("tells that a run is at work, and not of failures it never had") {
  Record record;
  record.pending = Pending{.tip = commit('b'), .running = true};
  const std::string text = status_of(record);
  CHECK(contains(text, "\n           a run is in progress, or was killed"));
  CHECK_FALSE(contains(text, "failed at"));
  CHECK(contains(status_of(record, true), json("'running':true")));
}

TEST_CASE("promises no time where each run looks again") {
  Record record = failing_record();
  record.pending->attempts = 0;
  CHECK(contains(status_of(record),
                 "\n           stopped at 'web: install' since "
                 "2023-11-14T22:13:20Z; each run looks again\n"));
}

TEST_CASE("tells which commit is quarantined") {
  Record record;
  record.quarantined = commit('b');
  CHECK(contains(status_of(record), "\nquarantine bbbbbbbbbbbb (A subject)\n"));
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
  CHECK(contains(status_of(record),
                 "\nquarantine bbbbbbbbbbbb (A subject), as alice asked\n"
                 "history    2023-11-14T22:13:20Z  rolled-back bbbbbbbbbbbb -> "
                 "aaaaaaaaaaaa  3.0 s, as alice asked\n"
                 "           journalctl _SYSTEMD_INVOCATION_ID=0f\n"));
  const std::string in_json = status_of(record, true);
  CHECK(contains(in_json, json("'quarantined_by':'alice'")));
  CHECK(contains(in_json, json("'by':'alice','invocation_id':'0f'")));
}

TEST_CASE("shows a tab of an error as a blank") {
  Record record = failing_record();
  record.pending->failure->error = "npm error a\tb";
  CHECK(contains(status_of(record), "\n           npm error a b\n"));
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
  CHECK(status_of(fake).starts_with("deployed   aaaaaaaaaaaa, -\n"));
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
  CHECK(status_of(record).starts_with(
      "deployed   aaaaaaaaaaaa (A subject), 2023-11-14T23:13:20Z\n"));
}

TEST_CASE("lets no subject move the cursor") {
  FakeHost fake;
  fake.save({.deployed = commit('a')});
  fake.runner.answer("log -1", printed("red\x1b[31m\n"));
  CHECK(contains(status_of(fake), "(red\\x1b[31m)"));
  CHECK_FALSE(contains(status_of(fake, true), "\x1b"));
}

TEST_CASE("refuses to make a status of a record that cannot be read") {
  FakeHost fake;
  write_file(fake.folder / "state/record", "no record");
  CHECK_THROWS_AS(status_of(fake), Error);
}

}  // namespace
}  // namespace deployment
