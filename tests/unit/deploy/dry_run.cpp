#include "lib/deploy/dry_run.hpp"

#include "lib/base/error.hpp"
#include "lib/deploy/report.hpp"
#include "tests/unit/host.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

const Request plain = {.dry_run = true};
const Request as_json = {.dry_run = true, .json = true};

// The end of a dry run, and the text that it printed.
struct End {
  int code = -1;
  std::string out;
};

End end_of(FakeHost& fake, const Record& record, const Request& request) {
  End end;
  end.out = printed_by([&] { end.code = dry_run(fake.host, record, request); });
  CHECK_FALSE(std::filesystem::exists(*fake.config.state_dir));
  CHECK_FALSE(fake.runner.has_run("maintenance.auto=false"));  // changes
  return end;
}

Record deployed_a() {
  return {.deployed = commit('a'),
          .components = {{"web", {.commit = commit('a')}},
                         {"api", {.commit = commit('a')}}}};
}

// `b` failed, and is tried again in half an hour.
Record waiting_for_b() {
  Record record = deployed_a();
  record.pending =
      Pending{.tip = commit('b'),
              .failure = Failure{.step = "build", .error = "npm exited"},
              .attempts = 3,
              .next_try = now() + 30min};
  return record;
}

Record quarantined_b() {
  Record record = deployed_a();
  record.quarantined = commit('b');
  return record;
}

TEST_CASE("says that there is nothing to do") {
  FakeHost fake;
  const End end = end_of(fake, deployed_a(), plain);
  CHECK(end.code == 0);
  CHECK(end.out == no_changes);
  CHECK(end_of(fake, deployed_a(), as_json).out ==
        json("{'held':null,'verdict':'up-to-date','from':'','from_subject':'','"
             "to':'',"
             "'to_subject':'','steps':[],'pending':null,"
             "'quarantined':null,'quarantined_by':''}\n"));
}

TEST_CASE("says that there is nothing to do when the branch here is ahead") {
  FakeHost fake;
  fake.push('b');
  fake.runner.answer("rev-list --left-right", printed("1\t0\n"));
  CHECK(end_of(fake, deployed_a(), plain).out == no_changes);
  CHECK(end_of(fake, deployed_a(), as_json)
            .out.starts_with(json("{'held':null,'verdict':'up-to-date',")));
}

TEST_CASE("fails when the remote is away, and says so only in the log") {
  for (const Request& request : {plain, as_json}) {
    FakeHost fake;
    fake.runner.answer("ls-remote", failed(128, "fatal: no route to host\n"));
    const End end = end_of(fake, deployed_a(), request);
    CHECK(end.code == exit_failed);
    CHECK(end.out.empty());
    CHECK(fake.log.text().starts_with(
        "error: asking origin for branch prod failed"));
  }
}

TEST_CASE("plans without the remote what a run would go on with") {
  FakeHost fake;
  fake.push('b');
  fake.runner.answer("ls-remote", failed(128, "fatal: no route to host\n"));
  Record record = waiting_for_b();
  record.pending->running = true;
  const End end = end_of(fake, record, plain);
  CHECK(end.code == exit_failed);
  CHECK(contains(end.out, "Plan: deploy aaaaaaaaaaaa"));
  CHECK(contains(fake.log.text(),
                 "origin is away; the deployment of bbbbbbbbbbbb goes on, "
                 "since its commit is here\n"));
}

TEST_CASE("fails while a commit waits for its next try") {
  FakeHost fake;
  fake.push('b');
  const Record record = waiting_for_b();
  const End end = end_of(fake, record, plain);
  CHECK(end.code == exit_failed);
  CHECK(end.out.empty());
  CHECK(fake.log.text() == "error: " + describe_stuck(record) + "\n");
}

TEST_CASE("tells as JSON what waits") {
  FakeHost fake;
  fake.push('b');
  const Record record = waiting_for_b();
  const End end = end_of(fake, record, as_json);
  CHECK(end.code == exit_failed);
  CHECK(end.out ==
        json("{'held':null,'verdict':'waiting','from':'','from_subject':'','to'"
             ":'',"
             "'to_subject':'','steps':[],'pending':{'commit':'<b>',"
             "'failed_step':'build','error':'npm exited','attempts':3,"
             "'next_try':'" +
             to_string(record.pending->next_try) +
             "'},'quarantined':null,"
             "'quarantined_by':''}\n"));
  CHECK(fake.log.text().empty());
}

TEST_CASE("tells what a repair of the deployed commit would do") {
  FakeHost fake;
  fake.push('b');
  Record record = quarantined_b();
  record.components.erase("api");
  const End end = end_of(fake, record, as_json);
  CHECK(end.code == 0);
  CHECK(end.out.starts_with(json(
      "{'held':null,'verdict':'repair','from':'<a>','from_subject':'A subject',"
      "'to':'<a>',")));
  CHECK(contains(end.out, json("'quarantined':'<b>','quarantined_by':''}")));
}

TEST_CASE("refuses the record of another checkout") {
  FakeHost fake;
  Record record = deployed_a();
  record.checkout = "/srv/other";
  const auto error =
      error_of<Error>([&] { dry_run(fake.host, record, plain); });
  CHECK(contains(error.what(), "belongs to the checkout /srv/other, not to " +
                                   fake.checkout().string()));
  CHECK(error.exit_code() == exit_failed);
  CHECK(fake.runner.asked.empty());
}

TEST_CASE("forgets what the record says of another clone") {
  FakeHost fake;
  Record record = deployed_a();
  record.checkout = fake.checkout();
  record.checkout_id = "lost";
  CHECK(contains(end_of(fake, record, plain).out, "Plan: deploy"));
}

TEST_CASE("fails while the remote holds a quarantined commit") {
  FakeHost fake;
  fake.push('b');
  const End end = end_of(fake, quarantined_b(), plain);
  CHECK(end.code == exit_failed);
  CHECK(end.out.empty());
  CHECK(fake.log.text() == "error: " + describe_stuck(quarantined_b()) + "\n");
  const End in_json = end_of(fake, quarantined_b(), as_json);
  CHECK(in_json.code == exit_failed);
  CHECK(in_json.out == json("{'held':null,'verdict':'quarantined','from':'','"
                            "from_subject':'','to':'',"
                            "'to_subject':'','steps':[],'pending':null,"
                            "'quarantined':'<b>','quarantined_by':''}\n"));
}

TEST_CASE("prints the steps of a deployment") {
  FakeHost fake;
  fake.push('b');
  const End end = end_of(fake, deployed_a(), plain);
  CHECK(end.code == 0);
  CHECK(end.out ==
        "Plan: deploy aaaaaaaaaaaa (A subject) -> bbbbbbbbbbbb (A subject)\n"
        "  1. fast-forward aaaaaaaaaaaa -> bbbbbbbbbbbb: the remote is ahead\n"
        "  2. web: skip: there is no web/package.json\n"
        "  3. api: skip: there is no api/requirements.txt\n");
}

TEST_CASE("prints the steps of a deployment as JSON") {
  FakeHost fake;
  fake.push('b');
  const End end = end_of(fake, deployed_a(), as_json);
  CHECK(end.code == 0);
  CHECK(end.out.starts_with(json(
      "{'held':null,'verdict':'deploy','from':'<a>','from_subject':'A subject',"
      "'to':'<b>','to_subject':'A subject','steps':[{'step':"
      "'fast-forward','description':'fast-forward aaaaaaaaaaaa -")));
  CHECK(contains(end.out, json("{'step':'skip','component':'web',")));
  CHECK(
      end.out.ends_with(json("],'pending':null,'quarantined':null,"
                             "'quarantined_by':''}\n")));
}

TEST_CASE("says when environments would be built in place") {
  FakeHost fake;
  fake.push('b');
  fake.config.build = BuildMode::in_place;
  fake.runner.answer("ls-tree", printed("100644 blob " + id('1') +
                                        "\tweb/package.json" + '\0'));
  CHECK(contains(end_of(fake, deployed_a(), plain).out,
                 "\nIn place: build = in-place\n"));
}

TEST_CASE("fails when a health check could not be made") {
  FakeHost fake;
  fake.push('b');
  fake.config.components[0].health_check = "http://localhost:1/";
  fake.runner.answer("ls-tree", printed("100644 blob " + id('1') +
                                        "\tweb/package.json" + '\0'));
  fake.runner.answer("curl --version", failed(127, "no such program\n"));
  CHECK_THROWS_AS(end_of(fake, deployed_a(), plain), CommandError);
}

TEST_CASE("does not fail for what a person quarantined, and tells who") {
  FakeHost fake;
  fake.push('b');
  Record record = quarantined_b();
  record.quarantined_by = "alice";
  CHECK(end_of(fake, record, plain).code == 0);
  CHECK(fake.log.text() == describe_stuck(record) + "\n");
  const End in_json = end_of(fake, record, as_json);
  CHECK(in_json.code == 0);
  CHECK(contains(in_json.out,
                 json("'quarantined':'<b>','quarantined_by':'alice'")));
}

TEST_CASE("plans with --force what waits or is quarantined") {
  for (const Record& record : {waiting_for_b(), quarantined_b()}) {
    FakeHost fake;
    fake.push('b');
    const End end = end_of(fake, record, {.dry_run = true, .force = true});
    CHECK(end.code == 0);
    CHECK(end.out.starts_with("Plan: deploy "));
  }
}

TEST_CASE("forgets a rollback that another tip overtakes") {
  FakeHost fake;
  fake.push('b');
  Record record = deployed_a();
  record.pending = Pending{.tip = commit('c')};
  record.roll_back_to = commit('0');
  CHECK(contains(end_of(fake, record, plain).out, "-> bbbbbbbbbbbb: "));
}

TEST_CASE("fetches a tip that is not here into a folder aside") {
  FakeHost fake;
  fake.push('b');
  std::filesystem::path aside;
  fake.runner.answer("rev-parse --git-path", printed(".git/objects\n"));
  fake.runner.answer("rev-list --objects", [&](const Command& command) {
    const Variables& variables = command.context.variables;
    const auto found = variables.find("GIT_OBJECT_DIRECTORY");
    if (found == variables.end()) {
      return failed(1);
    }
    aside = found->second;
    return CommandResult{};
  });
  const End end = end_of(fake, deployed_a(), plain);
  CHECK(end.code == 0);
  CHECK(contains(end.out, ". fast-forward aaaaaaaaaaaa -> bbbbbbbbbbbb: "));
  CHECK(fake.runner.has_run("git fetch --quiet --no-write-fetch-head"));
  CHECK_FALSE(aside.empty());
  CHECK_FALSE(std::filesystem::exists(aside));
}

}  // namespace
}  // namespace deployment
