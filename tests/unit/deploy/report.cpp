#include "lib/deploy/report.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

const Change change = {.from = commit('a'),
                       .from_subject = "Old",
                       .to = commit('b'),
                       .to_subject = "New"};

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
        "far); next try at 1970-01-01T00:00:00Z, or now with --force");
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

TEST_CASE("the end of a deployment names commit and time") {
  CHECK(describe_deployed(change, 3200ms, 0) ==
        "deployed bbbbbbbbbbbb (New) in 3.2 s");
  CHECK(describe_deployed(change, 192s, 2) ==
        "deployed bbbbbbbbbbbb (New) in 3 min 12 s, after it had failed 2 "
        "times");
  CHECK(describe_rolled_back(change, 3s) ==
        "rolled back to bbbbbbbbbbbb (New) in 3.0 s");
}

TEST_CASE("a failed rollback says where everything is") {
  CHECK(describe_mixture(commit('a'), "web: restart", id('b'),
                         {{.name = "web",
                           .service = "web.service",
                           .service_state = "failed (failed)",
                           .environment = "node_modules",
                           .made_from = "not known"}}) ==
        std::vector<std::string>{
            "the rollback to aaaaaaaaaaaa failed at 'web: restart'",
            "the checkout is at " + id('b'),
            "web: web.service is failed (failed); node_modules was made from: "
            "not known"});
}

TEST_CASE("an error without advice of its own gets the general one") {
  CHECK(advice_for(Error("x", "do y")) == "do y");
  CHECK(advice_for(Error("x")).starts_with("push a fix; "));
}

TEST_CASE("errors about permissions are recognized") {
  CHECK(speaks_of_permission("error: cannot open x: Permission denied"));
  CHECK(
      speaks_of_permission("fatal: detected dubious ownership in repository"));
  CHECK(speaks_of_permission("npm error code EACCES"));
  CHECK_FALSE(speaks_of_permission("no space left on device"));
}

}  // namespace
}  // namespace deployment
