#include "lib/deploy/status_text.hpp"

#include "lib/base/columns.hpp"
#include "lib/base/text.hpp"
#include "tests/unit/host.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Outcome = Deployment::Outcome;

constexpr Time noon{1'700'000'000s};  // 2023-11-14T22:13:20Z
constexpr const char* long_subject =
    "Let people who have neither a name nor an address buy in the shop, too, "
    "as "
    "they asked for it again and again";

// `a` is deployed on both components and verified.
Record deployed() {
  Record record = {.checkout = "/home/ubuntu/sinesiAI",
                   .deployed = commit('a')};
  for (const char* name : {"web", "api"}) {
    record.components[name] = {.commit = commit('a'),
                               .listens = {{.port = 3000}}};
  }
  record.history = {{.ended = noon,
                     .outcome = Outcome::deployed,
                     .duration = 90s,
                     .to = commit('a'),
                     .invocation_id = std::string(32, '0')}};
  return record;
}

// The deployment of `b` failed twice, and waits.
Record waiting() {
  Record record = deployed();
  record.pending =
      Pending{.tip = commit('b'),
              .failure = Failure{.step = "web: install",
                                 .error = "installing web failed: npm install "
                                          "--no-save exited with code 1: npm "
                                          "error code ETARGET: no such version "
                                          "of left-pad"},
              .attempts = 2,
              .since = noon + 1h,
              .next_try = noon + 2h};
  record.history.push_back({.ended = noon + 1h,
                            .outcome = Outcome::failed,
                            .from = commit('a'),
                            .to = commit('b'),
                            .invocation_id = std::string(32, '1')});
  return record;
}

// `b` was rolled back.
Record quarantined(const std::string& by = "") {
  Record record = waiting();
  record.pending.reset();
  record.quarantined = commit('b');
  record.quarantined_by = by;
  record.history.push_back({.ended = noon + 2h,
                            .outcome = Outcome::rolled_back,
                            .from = commit('b'),
                            .to = commit('a'),
                            .by = by,
                            .invocation_id = std::string(32, '1')});
  return record;
}

Record changed(Record record, const std::function<void(Record&)>& change) {
  change(record);
  return record;
}

const Seen all_stands = {.checked_out = commit('a'),
                         .services = {{"web.service", "active (running)"},
                                      {"api.service", "active (running)"}}};

Config config() {
  Config config;
  config.components = {web, api};
  return config;
}

std::string text_of(const Config& of, const Record& record, const Seen& seen) {
  return status_text(
      of, record, "/var/lib/deployment-update/record",
      [](const std::optional<CommitId>&) { return long_subject; }, seen);
}

TEST_CASE("answers in its first line, and has each line in 80 columns") {
  Seen dead = all_stands;
  dead.services["web.service"] = "failed (failed)";
  Seen gone = all_stands;
  gone.gone = {"api"};
  gone.troubles["api"] = "its venv is not the one that was deployed";
  Seen moved = all_stands;
  moved.checked_out = commit('c');
  struct Case {
    std::string first_line;
    Record record;
    Seen seen = all_stands;
  };
  for (const Case& c : {
           Case{"nothing is deployed yet", {}},
           Case{"up to date with origin/prod", deployed()},
           Case{"up to date with origin/prod, but web.service is failed "
                "(failed)",
                deployed(), dead},
           Case{"up to date with origin/prod, but api has lost its venv",
                deployed(), gone},
           Case{"up to date with origin/prod, but another commit is checked "
                "out",
                deployed(), moved},
           Case{"not up to date: the deployment failed at 'web: install'",
                waiting()},
           Case{"not up to date: the rollback failed at 'web: install'",
                changed(waiting(),
                        [](Record& r) { r.roll_back_to = commit('a'); })},
           Case{"not up to date: the repair failed at 'web: install'",
                changed(waiting(),
                        [](Record& r) {
                          r.roll_back_to = commit('a');
                          r.pending->repairs = true;
                        })},
           Case{"not up to date: the deployment stopped at 'web: install'",
                changed(waiting(), [](Record& r) { r.pending->attempts = 0; })},
           Case{"not up to date: a deployment is in progress, or was killed",
                changed(waiting(),
                        [](Record& r) { r.pending->running = true; })},
           Case{"not up to date: a deployment is pending",
                changed(waiting(), [](Record& r) { r.pending->failure = {}; })},
           Case{"not up to date: the commit that was pushed is quarantined",
                quarantined()},
           Case{"not up to date, as alice asked", quarantined("alice")},
           Case{"not known to be up to date: origin does not answer",
                changed(deployed(),
                        [](Record& r) { r.remote_away_since = noon; })},
           Case{"not known to be up to date: origin does not answer, and "
                "web.service is failed",
                changed(deployed(),
                        [](Record& r) { r.remote_away_since = noon; }),
                dead},
       }) {
    const std::string text = text_of(config(), c.record, c.seen);
    INFO(text);
    const auto lines = split(text, '\n');
    CHECK(lines.front() == c.first_line);
    for (const std::string_view line : lines) {
      INFO(line);
      CHECK(width_of(line) <= 80);
      CHECK(trimmed(line).size() ==
            std::string_view(line).size() - line.find_first_not_of(' '));
    }
  }
}

TEST_CASE("tells why, since when and what next before it tells of commits") {
  const std::string text = text_of(config(), waiting(), all_stands);
  CHECK(text.starts_with(
      "not up to date: the deployment failed at 'web: install'\n"
      "since      2023-11-14T23:13:20Z, 2 times\n"
      "next       again at 2023-11-15T00:13:20Z, or now: deployment-update "
      "--force\n"
      "error      installing web failed: npm install --no-save exited with "
      "code 1: npm\n"
      "           error code ETARGET: no such version of left-pad\n"
      "log        journalctl "
      "_SYSTEMD_INVOCATION_ID=11111111111111111111111111111111\n"
      "pending    Let people who have neither a name nor an address buy in the "
      "shop, t…\n           (bbbbbbbbbbbb)\n"));
}

TEST_CASE("names the log of no other run") {
  const std::string log = "\nlog ";
  CHECK(contains(text_of(config(), quarantined(), all_stands), log));
  CHECK_FALSE(contains(text_of(config(), deployed(), all_stands), log));
  Record planning = waiting();
  planning.history.pop_back();
  CHECK_FALSE(contains(text_of(config(), planning, all_stands), log));
  Record newer = waiting();
  newer.pending->tip = commit('c');
  CHECK_FALSE(contains(text_of(config(), newer, all_stands), log));
}

TEST_CASE("names the way on of an instance") {
  Config of = config();
  of.instance = "shop";
  CHECK(contains(
      text_of(of, quarantined(), all_stands),
      "again:\n           deployment-update --instance shop --force\n"));
  CHECK(contains(text_of(of, quarantined(), all_stands),
                 "\nhistory    deployment-update --instance shop --history\n"));
}

TEST_CASE("has a long name on a line of its own") {
  const std::string name = "a-component-that-has-a-very-long-name";
  Record record = waiting();
  record.components = {{name, {.commit = commit('a')}}};
  record.released = {{name, commit('a')}};
  record.pending->failure->step = name + ": install";
  Config of = config();
  of.components = {web};
  of.components.front().name = name;
  const std::string text = text_of(of, record, all_stands);
  CHECK(contains(text, '\n' + name + "\n           web.service is active"));
  for (const std::string_view line : split(text, '\n')) {
    INFO(line);
    CHECK(width_of(line) <= 80);
  }
}

}  // namespace
}  // namespace deployment
