#include "lib/plan/plan.hpp"

#include <algorithm>

#include "lib/base/error.hpp"
#include "lib/plan/plan_text.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Lines = std::vector<std::string>;

const CommitId before = commit('a');  // deployed, and checked out
const CommitId after = commit('b');   // the remote's tip
const Time noon{1'700'000'000s};

std::string hash(char digit) {
  return std::string(64, digit);
}

ComponentFacts npm_facts(char package_json = '1') {
  return {.manifests = {"package.json"},
          .inputs = {{"package.json", hash(package_json)},
                     {"package-lock.json", hash('2')}}};
}

ComponentFacts python_facts(char requirements = '3') {
  return {.manifests = {"requirements.txt"},
          .inputs = {{"requirements.txt", hash(requirements)},
                     {"python3", "3.11.2"}}};
}

// The two default components on `before`, whose environments are up to date.
Record settled_record() {
  Record record;
  record.deployed = before;
  record.components["frontend"] = {.commit = before,
                                   .inputs = npm_facts().inputs};
  record.components["backend"] = {.commit = before,
                                  .inputs = python_facts().inputs};
  return record;
}

// The remote has one commit more, which changes no manifest.
Observation one_commit_ahead() {
  return {.heads = {.tip = after,
                    .local = before,
                    .tracking = before,
                    .on_branch = true},
          .current_commit = before,
          .current_branch = "prod",
          .tip_is_here = true,
          .divergence = Divergence{.ours = 0, .theirs = 1},
          .target = Target{.commit = after,
                           .from_subject = "Old",
                           .to_subject = "New",
                           .components = {{"frontend", npm_facts()},
                                          {"backend", python_facts()}}}};
}

// The same where nothing can be built aside.
Observation in_place(Observation seen) {
  seen.in_place_reason = "there is no namespace to be had";
  return seen;
}

// The checkout has all that the remote has.
Observation nothing_new() {
  Observation seen = one_commit_ahead();
  seen.heads.tip = before;
  seen.divergence = Divergence{};
  seen.target.reset();
  return seen;
}

Lines lines_of(const Plan& plan) {
  Lines lines;
  for (const Step& step : plan.steps) {
    lines.push_back(describe(step));
  }
  return lines;
}

Plan plan(const Observation& seen, const Record& record = settled_record(),
          const Config& config = {}, bool force = false) {
  return make_plan(config, record, seen, force);
}

const std::string fast_forward =
    "fast-forward aaaaaaaaaaaa -> bbbbbbbbbbbb: the remote is ahead";
const std::string restart_frontend =
    "frontend: restart frontend-deployment.service: to run the deployed commit";
const std::string restart_backend =
    "backend: restart backend-deployment.service: to run the deployed commit";
const std::string verify_both =
    "verify that the restarted services stay up: frontend-deployment.service, "
    "backend-deployment.service";
const Lines restarts = {restart_frontend, restart_backend, verify_both};

Lines operator+(Lines first, const Lines& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST_CASE("nothing new: no step, nothing to deploy") {
  const Plan nothing = plan(nothing_new());
  CHECK(nothing.steps.empty());
  CHECK_FALSE(nothing.change.has_value());
  CHECK_FALSE(nothing.look_again);
}

TEST_CASE("a first run adopts what is checked out") {
  CHECK(plan(nothing_new(), Record{}).steps.empty());
}

TEST_CASE("a new commit is fast-forwarded to and every service restarted") {
  const Plan ahead = plan(one_commit_ahead());
  CHECK(lines_of(ahead) == Lines{fast_forward} + restarts);
  REQUIRE(ahead.change.has_value());
  CHECK(ahead.change->from == before);
  CHECK(ahead.change->to == after);
  CHECK(describe(*ahead.change) == "aaaaaaaaaaaa (Old) -> bbbbbbbbbbbb (New)");
}

TEST_CASE("a commit whose objects are missing is fetched first") {
  Observation seen = one_commit_ahead();
  seen.tip_is_here = false;
  const std::string fetch =
      "fetch bbbbbbbbbbbb: the remote has it, the checkout does not";
  CHECK(lines_of(plan(seen)) == Lines{fetch, fast_forward} + restarts);

  seen.divergence.reset();
  seen.target.reset();
  const Plan first = plan(seen);
  CHECK(lines_of(first) == Lines{fetch});
  CHECK(first.look_again);
}

TEST_CASE("a branch that is new at a known commit is fetched first") {
  Observation seen = one_commit_ahead();
  seen.heads.local.reset();
  seen.heads.tracking.reset();
  CHECK(lines_of(plan(seen)).at(0) ==
        "fetch bbbbbbbbbbbb: the checkout has no branch for it");
}

TEST_CASE("a checkout on another branch is put on the branch, no more") {
  Observation seen = nothing_new();
  seen.heads.on_branch = false;
  seen.current_branch = "feature";
  const Plan back = plan(seen);
  CHECK(lines_of(back) ==
        Lines{"check out prod: the checkout is on branch feature"});
  CHECK_FALSE(back.change.has_value());

  seen.current_branch.reset();
  CHECK(lines_of(plan(seen)) ==
        Lines{"check out prod: the checkout is on no branch"});
}

TEST_CASE("a new commit on another branch: checkout, then fast-forward") {
  Observation seen = one_commit_ahead();
  seen.heads.on_branch = false;
  seen.current_branch = "feature";
  CHECK(
      lines_of(plan(seen)) ==
      Lines{"check out prod: the checkout is on branch feature", fast_forward} +
          restarts);
}

TEST_CASE("a remote that is behind the checkout is contained: nothing to do") {
  Observation seen = nothing_new();
  seen.heads.tip = commit('9');
  seen.divergence = Divergence{.ours = 2, .theirs = 0};
  CHECK(plan(seen).steps.empty());
}

TEST_CASE("a diverged branch is refused with both commits and the way out") {
  Observation seen = one_commit_ahead();
  seen.divergence = Divergence{.ours = 1, .theirs = 3};
  const auto error = error_of<Obstacle>([&] { plan(seen); });
  CHECK(error.what() ==
        "branch prod diverged: the checkout is at " + before.str() +
            " (1 commit that origin does not have), origin is at " +
            after.str() +
            " (3 commits that the checkout does not have); nothing was "
            "changed");
  CHECK(contains(error.advice().value_or(""), "reset --keep " + after.str()));
  CHECK(contains(error.advice().value_or(""), "on-divergence = reset"));
}

TEST_CASE("a remote that was moved back is refused with both commits") {
  struct Case {
    Divergence divergence;
    std::string ours;
  };
  for (const Case& c :
       {Case{{.ours = 1, .taken_away = 1},
             "1 commit that origin does not have any more"},
        Case{{.ours = 3, .taken_away = 2},
             "3 commits that origin does not have, and had 2 of them"}}) {
    Observation seen = one_commit_ahead();
    seen.divergence = c.divergence;
    const auto error = error_of<Obstacle>([&] { plan(seen); });
    CHECK(error.what() == "branch prod was moved back: the checkout is at " +
                              before.str() + " (" + c.ours +
                              "), origin is at " + after.str() +
                              "; nothing was changed");
    CHECK(contains(error.advice().value_or(""), "reset --keep " + after.str()));
    CHECK(contains(error.advice().value_or(""), "on-divergence = reset"));
  }
}

TEST_CASE("a remote that was moved back is followed when that is wanted") {
  Observation seen = one_commit_ahead();
  seen.divergence = Divergence{.ours = 2, .taken_away = 1};
  Config config;
  config.on_divergence = OnDivergence::reset;
  CHECK(lines_of(plan(seen, settled_record(), config)) ==
        Lines{"reset aaaaaaaaaaaa -> bbbbbbbbbbbb: the remote was moved back "
              "and on-divergence = reset; what is lost is kept as "
              "refs/deployment-update/lost/" +
              before.str()} +
            restarts);
}

TEST_CASE("a diverged branch is reset when the configuration says so") {
  Observation seen = one_commit_ahead();
  seen.divergence = Divergence{.ours = 2, .theirs = 3};
  Config config;
  config.on_divergence = OnDivergence::reset;
  CHECK(lines_of(plan(seen, settled_record(), config)) ==
        Lines{"reset aaaaaaaaaaaa -> bbbbbbbbbbbb: the branch diverged and "
              "on-divergence = reset; what is lost is kept as "
              "refs/deployment-update/lost/" +
              before.str()} +
            restarts);
}

const std::string npm_install = "frontend: npm install --no-save in frontend: ";
const std::string new_venv =
    "backend: rebuild backend/venv, pip install -r requirements.txt: ";

TEST_CASE("each input that differs is a reason to install") {
  struct Case {
    const char* component;
    Inputs before;
    Inputs after;
    std::string reason;
  };
  const std::string ones(12, '1');
  const std::string twos(12, '2');
  const Case cases[] = {
      {"frontend",
       {{"package.json", hash('1')}},
       {{"package.json", hash('2')}},
       "package.json changed (" + ones + " -> " + twos + ")"},
      {"frontend",
       {{"package.json", hash('1')}, {"package-lock.json", hash('1')}},
       {{"package.json", hash('1')}, {"package-lock.json", hash('2')}},
       "package-lock.json changed (" + ones + " -> " + twos + ")"},
      {"frontend",
       {{"package.json", hash('1')}},
       {{"package.json", hash('1')}, {"package-lock.json", hash('2')}},
       "package-lock.json is new (" + twos + ")"},
      {"frontend",
       {{"package.json", hash('1')}, {"package-lock.json", hash('2')}},
       {{"package.json", hash('1')}},
       "package-lock.json is gone (was " + twos + ")"},
      {"frontend",
       {},
       {{"package.json", hash('1')}},
       "no install is recorded for package.json (" + ones + ")"},
      {"frontend",
       {{"node", "18"}, {"package.json", hash('1')}},
       {{"node", "20"}, {"package.json", hash('1')}},
       "node was 18 and is 20"},
      {"frontend",
       {{"package.json", hash('1')}},
       {{"node", "20"}, {"package.json", hash('2')}},
       "package.json changed (" + ones + " -> " + twos + ")"},
      {"backend",
       {{"base.txt", hash('1')}, {"requirements.txt", hash('1')}},
       {{"base.txt", hash('2')}, {"requirements.txt", hash('1')}},
       "base.txt changed (" + ones + " -> " + twos + ")"},
      {"backend",
       {{"python3", "3.11.2"}, {"requirements.txt", hash('1')}},
       {{"python3", "3.13.0"}, {"requirements.txt", hash('2')}},
       "python3 was 3.11.2 and is 3.13.0, requirements.txt changed (" + ones +
           " -> " + twos + ")"},
  };
  for (const Case& c : cases) {
    INFO(c.reason);
    Record record = settled_record();
    record.components[c.component].inputs = c.before;
    Observation seen = one_commit_ahead();
    seen.target->components[c.component].inputs = c.after;
    const bool npm = std::string(c.component) == "frontend";
    const std::string install = (npm ? npm_install : new_venv) + c.reason;

    CHECK(lines_of(plan(seen, record)) ==
          Lines{"build bbbbbbbbbbbb aside: " + install, fast_forward,
                std::string(c.component) + ": put the new " +
                    (npm ? "node_modules" : "venv") +
                    " into use: " + c.reason} +
              restarts);

    Lines expected = {fast_forward, restart_frontend, restart_backend,
                      verify_both};
    expected.insert(expected.begin() + (npm ? 1 : 2), install);
    CHECK(lines_of(plan(in_place(seen), record)) == expected);
  }
}

// What is deployed is checked out, and something of it is to be done again.
Observation at_what_is_deployed() {
  Observation seen = one_commit_ahead();
  seen.heads.tip = before;
  seen.divergence = Divergence{};
  seen.target->commit = before;
  return seen;
}

const std::string verify_backend =
    "verify that the restarted services stay up: backend-deployment.service";

TEST_CASE("an environment that is gone is made again, and no other") {
  struct Case {
    bool is_there;
    std::string reason;
  };
  for (const Case& c : {Case{false, "its venv is gone"},
                        Case{true,
                             "its venv is another one than was "
                             "installed"}}) {
    Observation seen = at_what_is_deployed();
    ComponentFacts& backend = seen.target->components["backend"];
    backend.is_there = c.is_there;
    backend.gone = true;
    const Lines put_into_use = {
        "backend: put the new venv into use: " + c.reason, restart_backend,
        verify_backend};
    CHECK(lines_of(plan(seen)) ==
          Lines{"build aaaaaaaaaaaa aside: " + new_venv + c.reason} +
              put_into_use);
    CHECK(lines_of(plan(in_place(seen))) ==
          Lines{new_venv + c.reason, restart_backend, verify_backend});
    backend.kept = true;
    const Lines kept = lines_of(plan(seen));
    REQUIRE(kept.size() == 3);
    CHECK(kept[0] == "backend: put the kept venv into use: " + c.reason);
  }
}

TEST_CASE("without a manifest no environment is made again") {
  Observation seen = at_what_is_deployed();
  seen.target->components["backend"] = {.is_there = false, .gone = true};
  const Plan skips = plan(seen);
  REQUIRE(skips.steps.size() == 1);
  const auto* skip = std::get_if<Skip>(&skips.steps[0]);
  REQUIRE(skip != nullptr);
  CHECK(skip->environment_is_gone);
  Record forgotten = settled_record();
  forgotten.components["backend"].inputs.clear();
  CHECK(plan(seen, forgotten).steps.empty());
}

TEST_CASE("what a move was made under is restarted, whoever had moved back") {
  Record ahead = settled_record();  // `after` is deployed
  ahead.deployed = after;
  for (auto& [name, component] : ahead.components) {
    component.commit = after;
  }
  Observation seen = one_commit_ahead();
  CHECK(lines_of(plan(seen, ahead)) == Lines{fast_forward} + restarts);
  seen.target->components["backend"] = {};
  CHECK(lines_of(plan(seen, ahead)).back().starts_with("verify"));
  CHECK(contains(lines_of(plan(seen, ahead)).at(2), "backend: skip"));
}

TEST_CASE("another branch is a move when it is at another commit") {
  Observation seen = at_what_is_deployed();
  seen.heads.on_branch = false;
  seen.current_branch = "feature";
  const std::string checkout =
      "check out prod: the checkout is on branch feature";
  CHECK(lines_of(plan(seen)) == Lines{checkout});
  seen.current_commit = commit('9');
  CHECK(lines_of(plan(seen)) == Lines{checkout} + restarts);
}

TEST_CASE("all environments are built together, before anything moves") {
  Observation seen = one_commit_ahead();
  seen.target->components = {{"frontend", npm_facts('8')},
                             {"backend", python_facts('9')}};
  const Lines lines = lines_of(plan(seen));
  REQUIRE(lines.size() == 7);
  CHECK(lines[0].starts_with("build bbbbbbbbbbbb aside: frontend: npm "));
  CHECK(contains(lines[0], "; backend: rebuild backend/venv"));
  CHECK(lines[1] == fast_forward);
  CHECK(lines[2].starts_with("frontend: put the new node_modules into use"));
  CHECK(lines[3].starts_with("backend: put the new venv into use"));
  CHECK_FALSE(plan(seen).in_place_reason.has_value());
}

TEST_CASE("an environment that is a link is refused where one is built aside") {
  Observation seen = one_commit_ahead();
  seen.target->components["frontend"].link = "/srv/shared";
  CHECK(lines_of(plan(seen)).size() == 4);  // code only

  seen.target->components["frontend"] = npm_facts('8');
  seen.target->components["frontend"].link = "/srv/shared";
  CHECK(message_of<Error>([&] { plan(seen); }) ==
        "the node_modules of frontend is a link to /srv/shared, in whose place "
        "a folder would come; nothing was changed");
  CHECK(lines_of(plan(in_place(seen))).size() == 5);
  CHECK_NOTHROW(make_plan(Config(), settled_record(), seen, true));
}

TEST_CASE("in place installs come in the script's order, with the reason") {
  Observation seen = in_place(one_commit_ahead());
  CHECK_FALSE(
      plan(seen).in_place_reason.has_value());  // nothing is to be installed

  seen.target->components = {{"frontend", npm_facts('8')},
                             {"backend", python_facts('9')}};
  CHECK(plan(seen).in_place_reason == "there is no namespace to be had");
  const Lines lines = lines_of(plan(seen));
  REQUIRE(lines.size() == 6);
  CHECK(lines[1].starts_with(npm_install));
  CHECK(lines[2] == restart_frontend);
  CHECK(lines[3].starts_with(new_venv));
  CHECK(lines[4] == restart_backend);
}

TEST_CASE("a kept environment is put into use and not built again") {
  Observation seen = one_commit_ahead();
  seen.target->components["backend"] = python_facts('9');
  seen.target->components["backend"].kept = true;
  const Lines lines = lines_of(plan(seen));
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == fast_forward);
  CHECK(
      lines[1].starts_with("backend: put the kept venv into use: "
                           "requirements.txt changed ("));
}

TEST_CASE("what an environment says of itself counts more than the record") {
  Record forgetful = settled_record();
  forgetful.components["backend"].inputs.clear();
  Observation seen = one_commit_ahead();
  ComponentFacts& backend = seen.target->components["backend"];
  backend.live = Label{.inputs = backend.inputs};
  CHECK(lines_of(plan(seen, forgetful)) == Lines{fast_forward} + restarts);

  backend.live = Label{.inputs = python_facts('9').inputs};
  CHECK(contains(lines_of(plan(seen)).at(0),
                 "requirements.txt changed (999999999999 -> 333333333333)"));
}

// A rollback to `before` from `after`, which has both components; their
// services ran `after`.
Record rolling_back() {
  Record record = settled_record();
  record.roll_back_to = before;
  record.pending =
      Pending{.tip = after, .reached = Reached::restarted, .running = true};
  for (const char* name : {"frontend", "backend"}) {
    record.components[name].commit.reset();
  }
  return record;
}

Observation on_the_way_back() {
  Observation seen = one_commit_ahead();
  seen.heads.local = after;
  seen.current_commit = after;
  seen.divergence = Divergence{};
  seen.target->commit = before;
  return seen;
}

const std::string reset = "reset bbbbbbbbbbbb -> aaaaaaaaaaaa: roll back";
const std::string restart_absent =
    "backend: restart backend-deployment.service: what is taken back runs in "
    "it; it is not watched";
const std::string skip_backend =
    "backend: skip: there is no backend/requirements.txt";
const std::string verify_frontend =
    "verify that the restarted services stay up: frontend-deployment.service";

TEST_CASE("a rollback puts back what one on trial replaced") {
  Observation seen = on_the_way_back();
  ComponentFacts& backend = seen.target->components["backend"];
  backend.live = Label{.inputs = backend.inputs, .on_trial = true};
  CHECK(lines_of(plan(seen, rolling_back())) == Lines{reset} + restarts);
  backend.kept = true;
  CHECK(lines_of(plan(seen, rolling_back())) ==
        Lines{reset,
              "backend: put the kept venv into use: it was in use before"} +
            restarts);
  // Who goes forward has made it for that.
  Record forward = rolling_back();
  forward.roll_back_to.reset();
  CHECK(lines_of(plan(seen, forward)) == restarts);
}

TEST_CASE("a rollback restarts what its commit does not have") {
  Observation seen = on_the_way_back();
  ComponentFacts& backend = seen.target->components["backend"];
  backend = {.runs_what_is_left = true};
  const Lines end = {restart_frontend, restart_absent, skip_backend,
                     verify_frontend};
  CHECK(lines_of(plan(seen, rolling_back())) == Lines{reset} + end);
  backend.live = Label{.inputs = python_facts().inputs, .on_trial = true};
  CHECK(lines_of(plan(seen, rolling_back())) ==
        Lines{reset,
              "backend: put the venv aside: the commit has nothing of it"} +
            end);
  backend.kept = true;
  CHECK(lines_of(plan(seen, rolling_back())) ==
        Lines{reset,
              "backend: put the kept venv into use: it was in use before"} +
            end);
}

TEST_CASE("what a dropped component made and git has now is put aside") {
  const std::string put_aside =
      "backend: put the venv aside: its build made backend/dist, which the "
      "commit has";
  Observation seen = one_commit_ahead();
  ComponentFacts& backend = seen.target->components["backend"];
  backend = {.live = Label{.outputs = {{"backend/dist", {.identity = "d1"}}}}};
  CHECK(lines_of(plan(seen)) ==
        Lines{fast_forward, restart_frontend, skip_backend, verify_frontend});
  backend.tracked = {"backend/dist"};
  CHECK(lines_of(plan(seen)) == Lines{fast_forward, put_aside, restart_frontend,
                                      skip_backend, verify_frontend});
}

TEST_CASE("a rollback leaves alone what does not run the commit it leaves") {
  Observation seen = on_the_way_back();
  seen.target->components["backend"] = {};
  CHECK(lines_of(plan(seen, rolling_back())) ==
        Lines{reset, restart_frontend, skip_backend, verify_frontend});
}

TEST_CASE("what a commit drops is restarted on the way back only") {
  Observation seen = one_commit_ahead();
  seen.target->components["backend"] = {};
  CHECK(lines_of(plan(seen)) ==
        Lines{fast_forward, restart_frontend, skip_backend, verify_frontend});
}

TEST_CASE("force installs and restarts everything although nothing changed") {
  Observation seen = nothing_new();
  seen.target = one_commit_ahead().target;
  seen.target->commit = before;
  seen.target->components["backend"].kept = true;
  const Plan forced = plan(seen, settled_record(), {}, true);
  const Lines lines = lines_of(forced);
  REQUIRE(lines.size() == 6);
  CHECK(lines[0] == "build aaaaaaaaaaaa aside: " + npm_install + "--force; " +
                        new_venv + "--force");
  CHECK(lines[1] == "frontend: put the new node_modules into use: --force");
  CHECK(lines[2].starts_with("backend: put the "));
  CHECK(lines[5] == verify_both);
  CHECK(describe(*forced.change) == "aaaaaaaaaaaa (New)");
  CHECK(lines_of(plan(in_place(seen), settled_record(), {}, true)) ==
        Lines{npm_install + "--force", restart_frontend, new_venv + "--force",
              restart_backend, verify_both});
}

TEST_CASE("a component without manifest is skipped") {
  Observation seen = one_commit_ahead();
  seen.target->components["backend"] = {};
  CHECK(lines_of(plan(seen)) ==
        Lines{fast_forward, restart_frontend,
              "backend: skip: there is no backend/requirements.txt",
              "verify that the restarted services stay up: "
              "frontend-deployment.service"});
  seen.target->components["frontend"] = {};
  CHECK(lines_of(plan(seen)) ==
        Lines{fast_forward, "frontend: skip: there is no frontend/package.json",
              "backend: skip: there is no backend/requirements.txt"});
}

// A deployment of `after` stopped when the back end's install failed.
Record pending_record() {
  Record record = settled_record();
  record.components["frontend"].commit = after;
  record.components["backend"].inputs.clear();
  record.pending = Pending{.tip = after,
                           .failure = Failure{.step = "backend: install",
                                              .error = "exited with code 1"},
                           .attempts = 1,
                           .since = noon - 2min,
                           .next_try = noon};
  return record;
}

// Returns what is there then: the checkout is on `after` already.
Observation half_deployed() {
  Observation seen = one_commit_ahead();
  seen.heads.local = after;
  seen.current_commit = after;
  seen.divergence = Divergence{};
  return seen;
}

TEST_CASE("a pending deployment goes on where it stopped") {
  const Plan rest = plan(half_deployed(), pending_record());
  CHECK(rest.change->from == before);
  CHECK(rest.change->to == after);
  const Lines lines = lines_of(rest);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].starts_with("build bbbbbbbbbbbb aside: " + new_venv +
                             "no install is recorded for "));
  CHECK(lines[1].starts_with("backend: put the new venv into use: "));
  CHECK(lines[2] == restart_backend);
  CHECK(lines[3] ==
        "verify that the restarted services stay up: "
        "backend-deployment.service");
}

TEST_CASE("a service that was restarted is only verified") {
  Record record = pending_record();
  record.components["backend"] = {.commit = before,
                                  .unverified_commit = after,
                                  .inputs = python_facts().inputs};
  CHECK(lines_of(plan(half_deployed(), record)) ==
        Lines{"verify that the restarted services stay up: "
              "backend-deployment.service"});
  // Another environment needs another restart.
  record.components["backend"].inputs.clear();
  CHECK(lines_of(plan(half_deployed(), record)).size() == 4);
}

GitLock lock_of_age(std::chrono::seconds age,
                    std::optional<pid_t> holder = {}) {
  return {.path = "/app/.git/index.lock", .age = age, .holder = holder};
}

TEST_CASE("an old lock that nobody holds is removed first") {
  Observation seen = one_commit_ahead();
  seen.git_locks = {lock_of_age(121s)};
  CHECK(lines_of(plan(seen)) ==
        Lines{"remove /app/.git/index.lock: it is 2 min 1 s old, and no git "
              "process is running in the checkout",
              fast_forward} +
            restarts);
}

TEST_CASE("a young lock is left alone") {
  Observation seen = one_commit_ahead();
  seen.git_locks = {lock_of_age(120s)};
  const auto error = error_of<Obstacle>([&] { plan(seen); });
  CHECK(error.what() ==
        "/app/.git/index.lock exists, but no git process is running in the "
        "checkout"s);
  CHECK(error.advice() ==
        "it is 2 min 0 s old, and will be removed when it is older than 2 min "
        "0 s; or: rm /app/.git/index.lock");
}

TEST_CASE("what root is told to paste runs as the owner, whatever its name") {
  Observation seen = one_commit_ahead();
  seen.git_user = "ubuntu";
  seen.git_locks = {lock_of_age(1s)};
  seen.git_locks[0].path = "/app/.git/a; reboot; 'b'.lock";
  CHECK(contains(error_of<Error>([&] { plan(seen); }).advice().value_or(""),
                 "or: runuser -u ubuntu -- rm "
                 "'/app/.git/a; reboot; '\\''b'\\''.lock'"));
}

TEST_CASE("a young lock of this program's own killed git is removed") {
  Record record = settled_record();
  record.pending = Pending{.tip = after, .running = true};
  Observation seen = one_commit_ahead();
  seen.git_locks = {lock_of_age(1s)};
  CHECK(lines_of(plan(seen, record)).at(0) ==
        "remove /app/.git/index.lock: a run that was killed left it");
}

TEST_CASE("a lock that a live git may hold is never removed") {
  Record record = settled_record();
  record.pending = Pending{.tip = after, .running = true};
  Observation seen = one_commit_ahead();
  seen.git_locks = {lock_of_age(24h, 4711)};
  CHECK(contains(message_of<Obstacle>([&] { plan(seen, record); }),
                 "git (process 4711) is running in the checkout"));
}

TEST_CASE("local changes in the way are named file by file") {
  Observation seen = one_commit_ahead();
  seen.target->in_the_way = {"backend/app.py", "frontend/package-lock.json",
                             "notes\nof mine"};
  const auto error = error_of<Obstacle>([&] { plan(seen); });
  CHECK(error.what() == std::string("local changes would be overwritten; "
                                    "nothing was changed:\nbackend/app.py\n"
                                    "notes\\x0aof mine"));
  CHECK(contains(error.advice().value_or(""),
                 "git --literal-pathspecs -C /home/ubuntu/sinesiAI stash push "
                 "--all -- backend/app.py 'notes\nof mine'"));
}

TEST_CASE("advice that git has to follow as the owner says so") {
  Observation seen = one_commit_ahead();
  seen.git_user = "ubuntu";
  seen.target->in_the_way = {"backend/app.py"};
  CHECK(contains(error_of<Error>([&] { plan(seen); }).advice().value_or(""),
                 "runuser -u ubuntu -- git --literal-pathspecs -C "
                 "/home/ubuntu/sinesiAI stash"));
  seen.target->in_the_way.clear();
  seen.divergence = Divergence{.ours = 1, .theirs = 1};
  CHECK(contains(error_of<Error>([&] { plan(seen); }).advice().value_or(""),
                 "runuser -u ubuntu -- git -C /home/ubuntu/sinesiAI reset"));
}

TEST_CASE("a lock file that npm rewrote is restored") {
  Observation seen = one_commit_ahead();
  seen.target->in_the_way = {"frontend/package-lock.json"};
  CHECK(lines_of(plan(seen)) ==
        Lines{"restore frontend/package-lock.json: npm rewrites it, and its "
              "changes would block the move",
              fast_forward} +
            restarts);
}

TEST_CASE("so are a shrinkwrap, and the lock file of a workspace's root") {
  for (const char* path :
       {"frontend/npm-shrinkwrap.json", "package-lock.json"}) {
    Observation seen = one_commit_ahead();
    seen.target->in_the_way = {path};
    ComponentFacts& frontend = seen.target->components["frontend"];
    frontend.root = ".";
    frontend.inputs["package-lock.json"] = "1";
    CHECK(contains(lines_of(plan(seen)).at(1), "npm rewrites it"));
  }
  Observation seen = one_commit_ahead();
  seen.target->in_the_way = {"package-lock.json"};
  CHECK_THROWS_AS(plan(seen), Error);
}

TEST_CASE("a record that does not know node's version asks for no build") {
  Observation seen = one_commit_ahead();
  seen.target->components["frontend"].inputs["node"] = "20";
  CHECK(lines_of(plan(seen)) == Lines{fast_forward} + restarts);
}

// Both components are workspaces of npm, with one environment.
Observation with_workspaces() {
  Observation seen = one_commit_ahead();
  ComponentFacts& frontend = seen.target->components["frontend"];
  frontend.root = ".";
  seen.target->components["backend"] = frontend;
  seen.target->components["backend"].owner = "frontend";
  return seen;
}

Config npm_only() {
  Config config;
  config.components[1].type = Component::Type::npm;
  return config;
}

TEST_CASE("workspaces of one root are built once, and all are restarted") {
  const Observation seen = with_workspaces();
  const std::string is_now = "it is a workspace of . now";
  const std::string install =
      "frontend, backend: npm install --no-save in .: " + is_now;
  CHECK(
      lines_of(plan(seen, settled_record(), npm_only())) ==
      Lines{"build bbbbbbbbbbbb aside: " + install, fast_forward,
            "frontend, backend: put the new node_modules into use: " + is_now} +
          restarts);
  CHECK(lines_of(plan(in_place(seen), settled_record(), npm_only())) ==
        Lines{fast_forward, install} + restarts);
}

TEST_CASE("one workspace is installed in place from its own folder") {
  Config config = npm_only();
  config.components.pop_back();
  Observation seen = with_workspaces();
  seen.target->components.erase("backend");
  CHECK(lines_of(plan(in_place(seen), settled_record(), config)).at(1) ==
        "frontend: npm install --no-save in frontend: it is a workspace of . "
        "now");
}

TEST_CASE("what is left in another place is put aside first, and once") {
  Observation seen = one_commit_ahead();
  Record record = settled_record();
  Component left = Config().components[0];
  left.directory = ".";
  for (auto& [name, facts] : seen.target->components) {
    record.components[name].root = ".";
    facts.left = left;
  }
  const std::string is_no_more = "it is no workspace of . any more";
  const Lines lines = lines_of(plan(seen, record));
  CHECK(Lines(lines.begin() + 1, lines.begin() + 5) ==
        Lines{fast_forward,
              "frontend, backend: put the node_modules aside: frontend has its "
              "environment in frontend now",
              "frontend: put the new node_modules into use: " + is_no_more,
              "backend: put the new venv into use: " + is_no_more});
}

TEST_CASE("a component whose folder is a link is that of the folder") {
  Observation seen = one_commit_ahead();
  seen.target->components["frontend"].real_directory = "apps/site";
  const Plan forced = plan(seen, settled_record(), {}, true);
  const auto& build = std::get<Build>(forced.steps.front());
  CHECK(build.installs.front().component.directory == "apps/site");
}

TEST_CASE("a commit with submodules is refused, and the setting named") {
  Observation seen = one_commit_ahead();
  seen.target->submodules = {"lib/a", "lib/b"};
  const auto error = error_of<Error>([&] { plan(seen); });
  CHECK(error.what() ==
        std::string("bbbbbbbbbbbb has submodules, which are not updated, and "
                    "services would run with those of another commit: lib/a, "
                    "lib/b; nothing was changed"));
  CHECK(contains(error.advice().value_or(""), "submodules = update"));
  Record back = settled_record();
  back.roll_back_to = after;
  CHECK_NOTHROW(plan(seen, back));
}

TEST_CASE("submodules are updated after the move, and built aside before") {
  Observation seen = one_commit_ahead();
  seen.target->submodules = {"lib/a", "lib/b"};
  Config config;
  config.submodules = Submodules::update;
  const std::string update =
      "update the submodules lib/a, lib/b: to the commits that the new one "
      "names";
  CHECK(lines_of(plan(seen, settled_record(), config)) ==
        Lines{fast_forward, update} + restarts);
  const Plan forced = plan(seen, settled_record(), config, true);
  CHECK(std::get<Build>(forced.steps.front()).has_submodules);

  seen.target->submodules.clear();
  seen.target->replaced_submodules = {"lib/a"};
  CHECK(lines_of(plan(seen, settled_record(), config)) ==
        Lines{"remove the submodules lib/a: the new commit has something else "
              "in their place",
              fast_forward} +
            restarts);
}

TEST_CASE("only npm's components have a lock file of npm's") {
  Observation seen = one_commit_ahead();
  seen.target->in_the_way = {"backend/package-lock.json"};
  CHECK_THROWS_AS(plan(seen), Error);
}

TEST_CASE("what an interrupted move left half-written is restored") {
  Observation seen = one_commit_ahead();
  seen.target->in_the_way = {"backend/app.py"};
  seen.target->half_written = {"backend/app.py"};
  CHECK(lines_of(plan(seen)).at(0) ==
        "restore backend/app.py: an earlier run was stopped while it wrote "
        "them");
}

TEST_CASE("what a person wrote after an interrupted move stays") {
  Observation seen = one_commit_ahead();
  seen.target->in_the_way = {"backend/app.py", "mine"};
  seen.target->half_written = {"backend/app.py"};
  CHECK_THROWS_AS(plan(seen), Error);
}

TEST_CASE("a component that the record does not know is installed") {
  Config config;
  config.components.push_back({.name = "docs",
                               .type = Component::Type::npm,
                               .directory = "docs",
                               .manifests = {"package.json"},
                               .services = {"docs.service"}});
  Observation seen = half_deployed();
  seen.target->components["docs"] = npm_facts();
  Record record = settled_record();
  record.deployed = after;
  record.components["frontend"].commit = after;
  record.components["backend"].commit = after;
  const Lines lines = lines_of(plan(seen, record, config));
  REQUIRE(lines.size() == 4);
  CHECK(contains(lines[0],
                 "docs: npm install --no-save in docs: no install is "
                 "recorded for "));
  CHECK(lines[1].starts_with("docs: put the new node_modules into use"));
  CHECK(lines[2].starts_with("docs: restart docs.service"));
}

TEST_CASE("a rollback resets to the commit before and uses what is kept") {
  Record record = settled_record();
  record.components["frontend"].commit = after;
  record.components["backend"] = {.commit = after,
                                  .inputs = python_facts('9').inputs};
  record.deployed = after;
  record.roll_back_to = before;
  Observation seen = half_deployed();
  seen.target->commit = before;
  seen.target->components["backend"].kept = true;
  const Lines lines = lines_of(plan(seen, record));
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "reset bbbbbbbbbbbb -> aaaaaaaaaaaa: roll back");
  CHECK(lines[1].starts_with("backend: put the kept venv into use: "));
}

// The back end has checks, the front end a release.
Config checking() {
  Config config;
  config.components[0].releases = {{"migrate"}};
  config.components[1].checks = {{"venv/bin/python", "-c", "import server"},
                                 {"look"}};
  return config;
}

const std::string laid_out =
    "lay out bbbbbbbbbbbb aside: checks and releases run there";
const std::string check_backend =
    "backend: check with the venv in use: venv/bin/python -c 'import server'; "
    "look: backend-deployment.service is to run the commit";
const std::string release_frontend =
    "frontend: release with the node_modules in use: migrate: bbbbbbbbbbbb was "
    "not released yet";

TEST_CASE("a push of code is checked and released before it moves") {
  CHECK(lines_of(plan(one_commit_ahead(), settled_record(), checking())) ==
        Lines{laid_out, check_backend, release_frontend, fast_forward} +
            restarts);
}

TEST_CASE("checks and releases run with the environments of the commit") {
  Observation seen = one_commit_ahead();
  seen.target->components = {{"frontend", npm_facts('8')},
                             {"backend", python_facts('9')}};
  seen.target->components["backend"].kept = true;
  const Lines lines = lines_of(plan(seen, settled_record(), checking()));
  REQUIRE(lines.size() == 9);
  CHECK(lines[0].starts_with("build bbbbbbbbbbbb aside: frontend: npm "));
  CHECK(lines[1].starts_with("backend: check with the kept venv: "));
  CHECK(lines[2].starts_with("frontend: release with the new node_modules: "));
  CHECK(lines[3] == fast_forward);
}

TEST_CASE("the commit is laid out for all that is checked or released") {
  const Plan ahead = plan(one_commit_ahead(), settled_record(), checking());
  const auto& build = std::get<Build>(ahead.steps.front());
  CHECK(build.installs.empty());
  REQUIRE(build.tried.size() == 2);
  CHECK(build.tried[0].name == "backend");
  CHECK(build.tried[1].name == "frontend");
}

TEST_CASE("in place they come between a component's install and restart") {
  Observation seen = in_place(one_commit_ahead());
  seen.target->components["backend"] = python_facts('9');
  seen.target->components["backend"].kept = true;
  const Lines lines = lines_of(plan(seen, settled_record(), checking()));
  REQUIRE(lines.size() == 7);
  CHECK(lines[0] == fast_forward);
  CHECK(lines[1] == release_frontend);
  CHECK(lines[2] == restart_frontend);
  CHECK(lines[3].starts_with(new_venv));
  CHECK(lines[4] == check_backend);
  CHECK(lines[5] == restart_backend);
}

TEST_CASE("a commit is released once for each component, and always checked") {
  Record released = settled_record();
  released.released = {{"frontend", after}};
  CHECK(lines_of(plan(one_commit_ahead(), released, checking())) ==
        Lines{laid_out, check_backend, fast_forward} + restarts);
  released.released = {{"frontend", before}, {"backend", after}};
  CHECK(lines_of(plan(one_commit_ahead(), released, checking())) ==
        Lines{laid_out, check_backend, release_frontend, fast_forward} +
            restarts);
}

TEST_CASE("a component without a service is deployed without a restart") {
  Config config = checking();
  config.components[0].services.clear();
  const std::string restart_nothing =
      "frontend: restart nothing: it has no service";
  Observation seen = one_commit_ahead();
  seen.target->components["frontend"] = npm_facts('8');
  const Plan ahead = plan(seen, settled_record(), config);
  const Lines lines = lines_of(ahead);
  REQUIRE(lines.size() == 8);
  CHECK(lines[2].starts_with("frontend: release with the new node_modules: "));
  CHECK(lines[4].starts_with("frontend: put the new node_modules into use"));
  CHECK(lines[5] == restart_backend);
  CHECK(lines[6] == restart_nothing);
  CHECK(std::get<Verify>(ahead.steps.back()).components.size() == 1);

  const Lines in_turn =
      lines_of(plan(in_place(seen), settled_record(), config));
  REQUIRE(in_turn.size() == 7);
  CHECK(in_turn[1].starts_with(npm_install));
  CHECK(in_turn[2].starts_with("frontend: release with "));
  CHECK(in_turn[5] == restart_nothing);

  Record done = settled_record();
  done.components["frontend"] = {.commit = after, .inputs = npm_facts().inputs};
  CHECK(std::ranges::count(lines_of(plan(half_deployed(), done, config)),
                           restart_nothing) == 0);
}

TEST_CASE("what a push leaves as it was is skipped") {
  Config config = checking();
  config.components[1].paths = {"backend", "shared"};
  Observation seen = one_commit_ahead();
  seen.target->components["backend"].unchanged = true;
  const std::string skip = "backend: skip: nothing changed in backend, shared";
  const Lines lines = lines_of(plan(seen, settled_record(), config));
  REQUIRE(lines.size() >= 2);
  CHECK(std::ranges::count(lines, skip) == 1);
  CHECK(std::ranges::count(lines, check_backend) == 0);
  CHECK(std::ranges::count(lines, restart_backend) == 0);
  // Somebody had moved the checkout away from the commit and back.
  Record same = settled_record();
  same.components["backend"].commit = after;
  CHECK(std::ranges::count(lines_of(plan(seen, same, config)),
                           restart_backend) == 1);
  // Another environment restarts it.
  seen.target->components["backend"] = python_facts('9');
  seen.target->components["backend"].unchanged = true;
  CHECK(std::ranges::count(lines_of(plan(seen, settled_record(), config)),
                           restart_backend) == 1);
}

TEST_CASE("a service that can is reloaded in the environment that it has") {
  Config config = Config();
  config.components[1].action = Component::Action::reload;
  const std::string reload =
      "backend: reload backend-deployment.service: to run the deployed commit";
  Observation seen = one_commit_ahead();
  CHECK(std::ranges::count(lines_of(plan(seen, settled_record(), config)),
                           reload) == 1);
  Record unknown = settled_record();
  unknown.components["backend"].commit.reset();
  CHECK(std::ranges::count(lines_of(plan(seen, unknown, config)),
                           restart_backend) == 1);
  seen.target->components["backend"] = python_facts('9');
  CHECK(std::ranges::count(lines_of(plan(seen, settled_record(), config)),
                           restart_backend) == 1);
}

TEST_CASE("only a component that is restarted is checked and released") {
  Record record = pending_record();
  record.components["backend"] = {.commit = before,
                                  .unverified_commit = after,
                                  .inputs = python_facts().inputs};
  const std::string verify =
      "verify that the restarted services stay up: backend-deployment.service";
  CHECK(lines_of(plan(half_deployed(), record, checking())) == Lines{verify});
  record.components["backend"].unverified_commit.reset();
  CHECK(lines_of(plan(half_deployed(), record, checking())) ==
        Lines{laid_out, check_backend, restart_backend, verify});
}

TEST_CASE("the gate is asked last before anything is released or moves") {
  Config config;
  config.gate = {"/etc/gate", "a b"};
  const std::string ask = "ask /etc/gate 'a b' whether to go on now";
  CHECK(lines_of(plan(one_commit_ahead(), settled_record(), config)) ==
        Lines{ask, fast_forward} + restarts);
  CHECK(lines_of(plan(in_place(one_commit_ahead()), settled_record(),
                      config))[0] == ask);
  CHECK(plan(nothing_new(), settled_record(), config).steps.empty());

  config.components[1].checks = {{"look"}};
  config.components[1].releases = {{"migrate"}};
  const Plan tried = plan(one_commit_ahead(), settled_record(), config);
  REQUIRE(tried.steps.size() > 4);
  CHECK(std::holds_alternative<Build>(tried.steps[0]));
  CHECK(std::holds_alternative<Check>(tried.steps[1]));
  CHECK(std::holds_alternative<Gate>(tried.steps[2]));
  CHECK(std::holds_alternative<Release>(tried.steps[3]));
}

TEST_CASE("the gate is asked about deployments that have moved nothing") {
  Config config;
  config.gate = {"/etc/gate"};
  const auto is_asked = [&](const Record& record, bool force = false) {
    const Plan made = plan(one_commit_ahead(), record, config, force);
    return std::ranges::any_of(made.steps, [](const Step& step) {
      return std::holds_alternative<Gate>(step);
    });
  };
  Record record = settled_record();
  CHECK(is_asked(record));
  CHECK_FALSE(is_asked(record, true));
  record.pending = Pending{.tip = after, .running = true};
  CHECK(is_asked(record));
  record.moving_to = after;
  CHECK_FALSE(is_asked(record));
  record.moving_to.reset();
  record.pending->reached = Reached::moved;
  CHECK_FALSE(is_asked(record));
  record.pending->reached = Reached::nothing;
  record.roll_back_to = before;
  CHECK_FALSE(is_asked(record));
}

TEST_CASE("a rollback checks and releases nothing") {
  Record record = settled_record();
  record.components["frontend"].commit = after;
  record.components["backend"].commit = after;
  record.deployed = after;
  record.roll_back_to = before;
  Observation seen = half_deployed();
  seen.target->commit = before;
  CHECK(lines_of(plan(seen, record, checking())) ==
        Lines{"reset bbbbbbbbbbbb -> aaaaaaaaaaaa: roll back"} + restarts);
}

// The front end builds, and its environment in use has dist and a folder that
// its install made.
Observation built_ahead() {
  Observation seen = one_commit_ahead();
  ComponentFacts& facts = seen.target->components["frontend"];
  facts.inputs[commands_input] = hash('4');
  facts.inputs[folder_input] = hash('5');
  facts.live = Label{
      .inputs = facts.inputs,
      .outputs = {{"frontend/dist", {.identity = "d1", .by_command = true}},
                  {"frontend/gen", {.identity = "d2"}}}};
  return seen;
}

Config building() {
  Config config;
  config.components[0].builds = {{"npm", "run", "build it"}};
  return config;
}

TEST_CASE("what only build commands read is built without an install") {
  Observation seen = built_ahead();
  CHECK(lines_of(plan(seen, settled_record(), building())) ==
        Lines{fast_forward} + restarts);
  seen.target->components["frontend"].inputs[folder_input] = hash('6');
  const std::string line =
      "frontend: build with the node_modules in use: npm run 'build it': files "
      "of the folder changed";
  CHECK(lines_of(plan(seen, settled_record(), building())).front() ==
        "build bbbbbbbbbbbb aside: " + line);
  CHECK(contains(
      lines_of(plan(in_place(seen), settled_record(), building())).at(1),
      line));
  seen.target->components["frontend"].inputs["package.json"] = hash('7');
  CHECK(contains(lines_of(plan(seen, settled_record(), building())).front(),
                 "npm install --no-save in frontend, then npm run 'build it': "
                 "files of the folder changed, package.json changed"));
}

TEST_CASE("what commands made is built again when it is gone, else all is") {
  for (const bool by_command : {true, false}) {
    Observation seen = built_ahead();
    ComponentFacts& facts = seen.target->components["frontend"];
    facts.lost = {by_command ? "frontend/dist" : "frontend/gen"};
    const std::string line =
        lines_of(plan(seen, settled_record(), building())).front();
    CHECK(
        contains(line, "its build made " + facts.lost[0] + ", which is gone"));
    CHECK(contains(line, "npm install") != by_command);
  }
}

TEST_CASE("an environment whose output the commit tracks does not serve it") {
  Observation seen = built_ahead();
  seen.target->components["frontend"].tracked = {"frontend/gen", "other"};
  const Lines lines = lines_of(plan(seen, settled_record(), building()));
  CHECK(contains(lines.front(), "npm install"));
  CHECK(contains(lines.front(),
                 "its build made frontend/gen, which the commit has"));
  CHECK(contains(lines.at(2), "frontend: put the new node_modules into use"));
}

TEST_CASE("a step has a short label") {
  CHECK(label_of(Fetch{after}) == "fetch");
  CHECK(label_of(Restart{.component = Config::default_components()[0]}) ==
        "frontend: restart");
}

}  // namespace
}  // namespace deployment
