#include "lib/deploy/executor.hpp"

#include <thread>

#include "lib/base/error.hpp"
#include "lib/base/signals.hpp"
#include "lib/deploy/services.hpp"
#include "lib/model/record_text.hpp"
#include "lib/model/transitions.hpp"
#include "tests/unit/deploy/deploying.hpp"

namespace deployment {
namespace {

using Lines = std::vector<std::string>;

const std::string show_web =
    "systemctl show "
    "--property=ActiveState,SubState,Result,InvocationID,MainPID,NRestarts,"
    "LoadState,ControlGroup,TriggeredBy,ActiveEnterTimestampMonotonic,"
    "CanReload,EnvironmentFiles,FragmentPath,DropInPaths web.service";

TEST_CASE("runs the commands of each step in their order") {
  struct Case {
    Step step;
    Lines lines;
  };
  for (const Case& c : {
           Case{RemoveLock{.path = ".git/index.lock", .reason = {}},
                {"rm -f -- .git/index.lock"}},
           Case{Fetch{.commit = commit('b')},
                {"git fetch --quiet --no-recurse-submodules -- origin "
                 "refs/heads/prod",
                 "/usr/bin/env node --version", "/usr/bin/env " + show_web,
                 "git rev-list --objects --quiet " + id('b') + " --not --all"}},
           Case{Checkout{.from = "x", .to = "prod", .commit = commit('a')},
                {"git checkout --quiet --no-overwrite-ignore prod --"}},
           Case{FastForward{.from = commit('a'), .to = commit('b')},
                {"git merge --quiet --ff-only --no-overwrite-ignore " +
                 id('b')}},
           Case{Reset{.from = commit('a'), .to = commit('b'), .reason = {}},
                {"git update-index -q --refresh",
                 "git reset --quiet --keep " + id('b') + " --"}},
           Case{Reset{.from = commit('a'),
           .to = commit('b'),
           .reason = {},
           .keep = true},
                {"git update-ref " + lost_ref(commit('a')) + " " + id('a'),
                 "git update-index -q --refresh",
                 "git reset --quiet --keep " + id('b') + " --"}},
           Case{Restore{.paths = {"x"}, .reason = {}},
                {"git ls-tree -z --full-tree HEAD -- x", "rm -f -- x",
                 "git reset --quiet HEAD -- x"}},
           Case{RemoveSubmodules{.paths = {"lib"}},
                {"git submodule --quiet deinit -- lib"}},
           Case{UpdateSubmodules{.paths = {"lib"}},
                {"git submodule --quiet foreach --recursive git rev-parse "
                 "--quiet --verify HEAD >/dev/null || rm -f .git",
                 "git submodule --quiet update --init --recursive"}},
           Case{npm_install, {"npm install --no-save"}},
           Case{Skip{.component = web, .has_no_service = true}, {}},
       }) {
    Deploying fake;
    Lines lines = fake.run(c.step);
    for (std::string& line : lines) {
      line.erase(std::remove(line.begin(), line.end(), '\''), line.end());
    }
    CHECK(lines == c.lines);
  }
}

// The changes of the record by a step: before its command runs, and at its end.
struct Recorded {
  const char* what;
  Step step;
  std::string command;
  std::function<void(Record&)> during;
  std::function<void(Record&)> after;
};

void check(const std::vector<Recorded>& rows) {
  for (const Recorded& row : rows) {
    INFO(row.what);
    Deploying fake;
    Record expected = fake.saved();
    row.during(expected);
    CHECK(to_text(fake.record_during(row.step, row.command)) ==
          to_text(expected));
    row.after(expected);
    CHECK(to_text(fake.saved()) == to_text(expected));
  }
}

TEST_CASE("records moves before they begin and when they have ended") {
  const auto moving = [](Record& r) { r.moving_to = commit('b'); };
  const auto moved = [](Record& r) {
    r.moving_to.reset();
    r.pending->reached = Reached::moved;
  };
  check(
      {{"check out", Checkout{.from = {}, .to = "prod", .commit = commit('b')},
        " checkout ", moving, moved},
       {"fast-forward", FastForward{.from = commit('a'), .to = commit('b')},
        " merge ", moving, moved},
       {"reset", Reset{.from = commit('a'), .to = commit('b'), .reason = {}},
        " reset ", moving, moved}});
}

TEST_CASE("records that something moved before it changes submodules") {
  const auto moved = [](Record& r) { r.pending->reached = Reached::moved; };
  check({{"remove-submodules", RemoveSubmodules{.paths = {"lib"}}, " deinit ",
          moved, [](Record&) {}},
         {"submodules", UpdateSubmodules{.paths = {"lib"}}, " update --init",
          moved, [](Record&) {}}});
}

TEST_CASE("records installs and restarts before and after") {
  check({{"install", npm_install, "npm ",
          [](Record& r) { r.components.erase("web"); },
          [](Record& r) { r.components["web"].inputs = inputs; }},
         {"restart", restart_web, "systemctl restart",
          [](Record& r) {
            r.components["web"].commit.reset();
            r.pending->reached = Reached::restarted;
          },
          [](Record& r) {
            r.components["web"].unverified_commit = commit('b');
          }}});
}

TEST_CASE("records nothing of a fetch, a build or a restored file") {
  for (const Step& step :
       {Step(Fetch{.commit = commit('b')}),
        Step(Restore{.paths = {"x"}, .reason = {}}),
        Step(Build{.commit = commit('b'), .installs = {npm_install}})}) {
    Deploying fake;
    const Record before = fake.saved();
    fake.apply(step);
    CHECK(fake.saved() == before);
  }
}

TEST_CASE("records a release when it has succeeded, and no check") {
  Component releasing = web;
  releasing.checks = {{"look"}};
  releasing.releases = {{"migrate"}, {"seed"}};
  const auto nothing = [](Record&) {};
  check({{"check", Check{.component = releasing, .facts = {}, .in_use = true},
          "look", nothing, nothing},
         {"release",
          Release{.component = releasing,
                  .facts = {},
                  .commit = commit('b'),
                  .in_use = true},
          "seed", nothing, [](Record& r) {
            r.released = {{"web", commit('b')}};
          }}});
}

TEST_CASE("records a component that is skipped as one that runs the commit") {
  Deploying fake;
  fake.apply(Skip{.component = api});
  CHECK(fake.saved().components.at("api").commit == commit('b'));
}

TEST_CASE("forgets an environment that is gone when it is skipped") {
  Deploying fake;
  fake.apply(Skip{.component = web, .environment_is_gone = true});
  CHECK(fake.saved().components.at("web") ==
        ComponentRecord{.commit = commit('b')});
}

TEST_CASE("labels what is installed in place") {
  Deploying fake;
  fake.apply(npm_install);
  CHECK(fake.host.store.live_label(web) == Label{.inputs = inputs});
}

TEST_CASE("labels for the way back what the record speaks of, and no other") {
  for (const bool is_known : {true, false}) {
    Deploying fake;
    if (!is_known) {  // one that was deployed would have a label
      fake.journal.write(transition::configuration_deployed,
                         std::map<std::string, std::string>{{"web", "npm"}});
    }
    write_file(fake.host.store.live(web) / "what", "in use");
    fake.keep("built");
    fake.apply(new_modules);
    CHECK(fake.host.store.find(web, {{"f", "1"}}, commit('a')).has_value() ==
          is_known);
  }
}

TEST_CASE(
    "takes nothing for an environment of the commit that it goes back to "
    "but what served it") {
  const Inputs others = {{"f", "1"}};
  for (const bool is_left_in_its_place : {true, false}) {
    Deploying fake;
    Record record = fake.saved();
    if (is_left_in_its_place) {  // by a service of the workspace that is left
      record.roll_back_to = record.deployed;
      record.components["web"].root = ".";
    } else {  // it was verified, and a kill came before the end
      record.components["web"].commit = commit('b');
    }
    fake.go_on_with(record);
    write_file(fake.host.store.live(web) / "what", "in use");
    if (!is_left_in_its_place) {
      fake.host.store.set_live_label(web, {.inputs = {{"f", "2"}}});
    }
    fake.keep("built");
    fake.apply(new_modules);
    CHECK_FALSE(fake.host.store.find(web, others, commit('a')).has_value());
  }
}

TEST_CASE("tells when a fetch does not bring the commit") {
  Deploying fake;
  fake.runner.answer("rev-list --objects", failed(1));
  const auto error =
      error_of<Error>([&] { fake.apply(Fetch{.commit = commit('b')}); });
  CHECK(std::string(error.what()) ==
        "fetched prod, but it does not contain " + id('b'));
  CHECK(contains(error.advice().value_or(""), "moved back meanwhile"));
}

TEST_CASE("asks runtimes of what is deployed while it fetches") {
  Deploying fake;
  fake.go_on_with({.components = {{"web", {.inputs = inputs}}}});
  fake.runner.answer("env node", printed("v20.1.0\n"));
  fake.apply(Fetch{.commit = commit('b')});
  CHECK(fake.host.asked_ahead.versions ==
        std::map<std::string, std::string>{{"node", "v20.1.0\n"}});
  CHECK_FALSE(fake.runner.has_run("python3"));
}

TEST_CASE("asks for the services of what is deployed while it fetches") {
  Deploying fake;
  fake.go_on_with({.components = {{"web", {.inputs = inputs}}}});
  fake.apply(Fetch{.commit = commit('b')});
  CHECK(fake.host.state_of("web.service").invocation_id == "old");
  const std::size_t asked = fake.runner.asked.size();
  look_at_services({.steps = {restart_web}}, fake.work);
  CHECK(fake.work.states_before.at("web.service").invocation_id == "old");
  CHECK(fake.runner.asked.size() == asked);
  // Later it is asked anew.
  fake.apply(restart_web);
  CHECK(fake.host.state_of("web.service").invocation_id == "new");
}

TEST_CASE("remembers no state over a long fetch") {
  Deploying fake;
  fake.go_on_with({.components = {{"web", {.inputs = inputs}}}});
  fake.runner.answer(" fetch ", [](const Command&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1001));
    return CommandResult{};
  });
  fake.apply(Fetch{.commit = commit('b')});
  CHECK(fake.host.asked_ahead.states.empty());
  CHECK(fake.host.asked_ahead.versions.contains("node"));
}

TEST_CASE("a runtime that is not here fails no fetch, and is asked later") {
  Deploying fake;
  fake.go_on_with({.components = {{"web", {.inputs = inputs}}}});
  fake.runner.answer("env node", failed(127));
  fake.apply(Fetch{.commit = commit('b')});
  CHECK(fake.host.asked_ahead.versions.at("node").empty());
}

TEST_CASE("leaves in the record what a step that failed had begun") {
  struct Case {
    Step step;
    std::string command;
    std::function<void(Record&)> change;
  };
  for (const Case& c : {
           Case{FastForward{.from = commit('a'), .to = commit('b')}, " merge ",
                [](Record&) {}},
           Case{Reset{.from = commit('a'),
           .to = commit('b'),
           .reason = {},
           .keep = true},
                " update-ref ", [](Record&) {}},
           Case{npm_install, "npm ",
                [](Record& r) { r.components.erase("web"); }},
           Case{restart_web, "systemctl restart",
                [](Record& r) {
                  r.components["web"].commit.reset();
                  r.pending->reached = Reached::restarted;
                }},
       }) {
    INFO(c.command);
    Deploying fake;
    Record expected = fake.saved();
    c.change(expected);
    fake.runner.answer(c.command, failed(1, "it is broken\n"));
    CHECK(contains(message_of<Error>([&] { fake.apply(c.step); }),
                   "\nit is broken"));
    CHECK(to_text(fake.saved()) == to_text(expected));
  }
}

// A fast-forward that fails after it wrote the beginning of the file x.
class HalfMoved : public Deploying {
 public:
  HalfMoved() {
    runner.answer(" merge ", failed(1, "no space left\n"));
    runner.answer(" status ", printed(std::string(" M x\0", 5)));
    runner.answer(" diff-tree ", printed(std::string("x\0", 2)));
    runner.answer(" ls-tree ",
                  printed("100644 blob " + id('1') + "\tx" + '\0'));
    runner.answer(" checkout-index ", lays_out({{"x", "new text"}}));
    write_file(checkout() / "x", "new");
  }

  void fail() {
    CHECK_THROWS_AS(apply(FastForward{.from = commit('a'), .to = commit('b')}),
                    CommandError);
  }
};

TEST_CASE("takes back what a move that failed had written") {
  HalfMoved fake;
  fake.fail();
  CHECK(fake.runner.has_run(" checkout --quiet HEAD -- x"));
  CHECK(fake.log.text() == "the move failed halfway; took back x\n");
  CHECK(fake.saved().moving_to == std::nullopt);
  CHECK(fake.saved().pending->reached == Reached::nothing);
}

TEST_CASE("takes back no file that a person wrote") {
  HalfMoved fake;
  write_file(fake.checkout() / "x", "mine");
  fake.fail();
  CHECK_FALSE(fake.runner.has_run(" checkout "));
  CHECK(fake.saved().moving_to == std::nullopt);
}

TEST_CASE("remembers a move that could not be taken back") {
  HalfMoved fake;
  fake.runner.answer(" checkout ", failed(1, "fatal: no space left\n"));
  fake.fail();
  CHECK(fake.log.text().starts_with("warning: restoring files failed"));
  CHECK(fake.saved().moving_to == commit('b'));
}

TEST_CASE("remembers a move of which it could not tell what it had written") {
  HalfMoved fake;
  fake.runner.answer(" checkout-index ",
                     failed(1, "error: unable to write file tree/x\n"));
  fake.fail();
  CHECK_FALSE(fake.runner.has_run(" checkout "));
  CHECK(fake.log.text().starts_with("warning: laying out files in "));
  CHECK(fake.log.text().ends_with(
      "exited with code 1: error: unable to write file tree/x\n"));
  CHECK(fake.saved().moving_to == commit('b'));
}

TEST_CASE("lets an interruption through and takes nothing back") {
  HalfMoved fake;
  fake.runner.answer(" merge ", [](const Command&) -> CommandResult {
    throw Interrupted(SIGTERM);
  });
  CHECK_THROWS_AS(
      fake.apply(FastForward{.from = commit('a'), .to = commit('b')}),
      Interrupted);
  CHECK_FALSE(fake.runner.has_run(" status "));
  CHECK(fake.saved().moving_to == commit('b'));
}

}  // namespace
}  // namespace deployment
