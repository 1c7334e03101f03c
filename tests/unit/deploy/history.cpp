#include "lib/deploy/history.hpp"

#include <algorithm>

#include "lib/base/text.hpp"
#include "lib/model/paths.hpp"
#include "tests/unit/deploy/deploying.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Outcome = Deployment::Outcome;

constexpr Time noon{1'700'000'000s};  // 2023-11-14T22:13:20Z

const Deployment good = {.ended = noon,
                         .outcome = Outcome::deployed,
                         .duration = 90s,
                         .to = commit('a'),
                         .invocation_id = std::string(32, '0')};
const Deployment bad = {.ended = noon + 1h,
                        .outcome = Outcome::failed,
                        .duration = 3s,
                        .from = commit('a'),
                        .to = commit('b'),
                        .by = "alice"};

// The deployment of `b` has failed.
class Ended : public Deploying {
 public:
  Ended() {
    Record record = journal.record();
    record.history = {good, bad};
    go_on_with(record);
    work.change->to_subject = "Break it";
    work.change->to_author = "Bob";
    work.steps = {{.step = "fetch", .duration = 400ms},
                  {.step = "web: restart", .duration = 61s}};
  }

  std::filesystem::path file() const {
    return *config.state_dir / history_name;
  }

  std::string told(std::size_t count = 10, bool in_json = false) {
    return describe_history(config, count, in_json, log.log);
  }
};

constexpr const char* told_of_good =
    "2023-11-14T22:13:20Z  deployed     aaaaaaaaaaaa\n"
    "    in 1 min 30 s\n"
    "    journalctl _SYSTEMD_INVOCATION_ID=00000000000000000000000000000000\n";

TEST_CASE("tells the deployments that ended, the newest first") {
  Ended app;
  keep_history(app.work);
  CHECK(app.told() ==
        std::string("2023-11-14T23:13:20Z  failed       bbbbbbbbbbbb  Break it"
                    "\n"
                    "    in 3.0 s, from aaaaaaaaaaaa, written by Bob, as alice "
                    "asked\n"
                    "    fetch 0.4 s, web: restart 1 min 1 s\n") +
            told_of_good);
  CHECK(app.told(1).find("deployed") == std::string::npos);
  CHECK(app.log.text().empty());
  CHECK(app.work.steps.empty());
}

TEST_CASE("tells the deployments that ended as JSON") {
  Ended app;
  keep_history(app.work);
  CHECK(app.told(10, true) ==
        json("[{'ended':'2023-11-14T23:13:20Z','outcome':'failed',"
             "'seconds':3,'from':'<a>','to':'<b>','subject':'Break it',"
             "'author':'Bob','by':'alice','attempts':1,"
             "'steps':[{'step':'fetch','seconds':0.4},"
             "{'step':'web: restart','seconds':61.0}],'invocation_id':''},"
             "{'ended':'2023-11-14T22:13:20Z','outcome':'deployed',"
             "'seconds':90,'from':'','to':'<a>','subject':'','author':'',"
             "'by':'','attempts':1,'steps':[],"
             "'invocation_id':'00000000000000000000000000000000'}]\n"));
}

TEST_CASE("has each line of the history in 80 columns") {
  Ended app;
  app.work.change->to_subject = std::string(200, 'x');
  app.work.change->to_author = "Anna Maria Luisa von und zu Hohenstein-Long";
  for (int i = 0; i < 9; ++i) {
    app.work.steps.push_back({.step = "a-component-of-many-words: restart"});
  }
  keep_history(app.work);
  const std::string text = app.told();
  for (const std::string_view line : split(text, '\n')) {
    INFO(line);
    CHECK(line.size() <= 80 + std::string_view("…").size() - 1);
  }
  CHECK(contains(text, "xxx…\n"));
}

TEST_CASE("tells that nothing was deployed yet, in both forms") {
  FakeHost fake;
  CHECK(describe_history(fake.config, 10, false, fake.log.log) ==
        "nothing was deployed yet\n");
  CHECK(describe_history(fake.config, 10, true, fake.log.log) == "[]\n");
  CHECK_FALSE(std::filesystem::exists(*fake.config.state_dir));
}

TEST_CASE("tells what a run that was killed has left to the next one") {
  Ended app;
  CHECK(contains(app.told(), "  failed       bbbbbbbbbbbb\n"));
  CHECK_FALSE(std::filesystem::exists(app.file()));
}

TEST_CASE("writes nothing when nothing has ended") {
  Ended app;
  keep_history(app.work);
  const auto written = std::filesystem::last_write_time(app.file());
  std::filesystem::create_hard_link(app.file(), app.folder / "same");
  keep_history(app.work);
  CHECK(std::filesystem::last_write_time(app.file()) == written);
  CHECK(std::filesystem::hard_link_count(app.file()) == 2);
}

TEST_CASE("a history that cannot be read is one warning, and is kept") {
  Ended app;
  write_file(app.file(), "no history");
  CHECK(contains(app.told(), told_of_good));
  CHECK(app.log.text().starts_with("warning: the history " +
                                   app.file().string() + " cannot be read: "));
  CHECK(app.log.text().ends_with("; this is what the record has\n"));
  CHECK(std::ranges::count(app.log.text(), '\n') == 1);
  keep_history(app.work);
  CHECK(std::ranges::count(app.log.text(), '\n') == 2);
  CHECK(read_file(app.file().string() + ".damaged") == "no history");
  CHECK(contains(app.told(), "Break it\n"));
}

TEST_CASE("a history that cannot be written is a warning") {
  Ended app;
  std::filesystem::remove_all(*app.config.state_dir);
  write_file(*app.config.state_dir, "no folder");
  keep_history(app.work);
  CHECK(app.log.text().starts_with("warning: "));
}

}  // namespace
}  // namespace deployment
