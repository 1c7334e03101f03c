#include "lib/deploy/metrics.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "lib/base/text.hpp"
#include "tests/unit/host.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Outcome = Deployment::Outcome;

constexpr Time noon{1'700'000'000s};

// `b` is deployed.
Record deployed() {
  return {.deployed = commit('b'),
          .history = {{.ended = noon,
                       .outcome = Outcome::deployed,
                       .duration = 90s,
                       .from = commit('a'),
                       .to = commit('b')}}};
}

std::string text_of(const Record& record) {
  History history;
  catch_up(history, record.history);
  return metrics_text({}, record, history, false, "1.2.3");
}

// The lines that are no comments.
std::string values_of(const std::string& text) {
  std::string values;
  for (const auto line : split(text, '\n')) {
    values += line.starts_with('#') ? "" : std::string(line) + '\n';
  }
  return values;
}

TEST_CASE("tells metrics of what is deployed") {
  CHECK(values_of(text_of(deployed())) ==
        "deployment_update_info{commit=\"" + id('b') +
            "\",version=\"1.2.3\"} 1\n"
            "deployment_update_deployed_timestamp_seconds 1700000000\n"
            "deployment_update_pending 0\n"
            "deployment_update_attempts 0\n"
            "deployment_update_deferred_since_timestamp_seconds 0\n"
            "deployment_update_quarantined{reason=\"failed\"} 0\n"
            "deployment_update_quarantined{reason=\"asked\"} 0\n"
            "deployment_update_held 0\n"
            "deployment_update_remote_away_since_timestamp_seconds 0\n"
            "deployment_update_last_duration_seconds 90\n"
            "deployment_update_deployments_total{outcome=\"deployed\"} 1\n"
            "deployment_update_deployments_total{outcome=\"failed\"} 0\n"
            "deployment_update_deployments_total{outcome=\"rolled-back\"} 0\n");
}

TEST_CASE("tells metrics of a host without a deployment") {
  const std::string text = text_of({});
  CHECK(contains(text, "info{commit=\"\",version=\"1.2.3\"} 1\n"));
  CHECK(contains(text, "deployed_timestamp_seconds 0\n"));
}

TEST_CASE("tells metrics of trouble") {
  Record record = deployed();
  record.pending = Pending{.tip = commit('c'), .attempts = 3};
  record.remote_away_since = noon + 1min;
  record.quarantined = commit('c');
  const std::string text = text_of(record);
  for (const char* line :
       {"pending 1\n", "attempts 3\n", "quarantined{reason=\"failed\"} 1\n",
        "remote_away_since_timestamp_seconds 1700000060\n"}) {
    INFO(line);
    CHECK(contains(text, std::string("\ndeployment_update_") + line));
  }
  record.quarantined_by = "alice";
  CHECK(contains(text_of(record), "quarantined{reason=\"asked\"} 1\n"));
  CHECK(contains(text_of(record), "quarantined{reason=\"failed\"} 0\n"));
}

TEST_CASE("each metric has its help and its type before it") {
  const std::string text = text_of(deployed());
  const auto lines = split(text, '\n');
  CHECK(std::ranges::count_if(lines, [](std::string_view line) {
          return line.starts_with("# HELP ");
        }) == 10);
  CHECK(lines[0].starts_with("# HELP deployment_update_info "));
  CHECK(lines[1] == "# TYPE deployment_update_info gauge");
  CHECK(contains(text, "# TYPE deployment_update_deployments_total counter\n"));
}

TEST_CASE("names the application of an instance in each metric, escaped") {
  Config config;
  config.instance = "shop";
  const std::string text =
      values_of(metrics_text(config, {}, {}, true, "a \"b\" \\ c\n"));
  for (const auto line : split(text, '\n')) {
    INFO(line);
    CHECK(contains(line, "{application=\"shop\""));
  }
  CHECK(contains(text, "held{application=\"shop\"} 1\n"));
  CHECK(contains(text, "version=\"a \\\"b\\\" \\\\ c\\n\"} 1\n"));
}

// Writes them as a run does.
class Writing : public FakeHost {
 public:
  Writing() {
    config.metrics = folder / "node/app.prom";
    std::filesystem::create_directory(folder / "node");
    write = metrics_writer(config, "1.2.3", log.log);
  }

  MetricsWriter write = {};
};

TEST_CASE("replaces the file of metrics, which all may read") {
  Writing app;
  const mode_t before = umask(077);
  app.write(deployed());
  umask(before);
  std::filesystem::create_hard_link(*app.config.metrics, app.folder / "old");
  app.write({});
  CHECK(read_file(app.folder / "old") == text_of(deployed()));
  CHECK(contains(read_file(*app.config.metrics), "info{commit=\"\""));
  struct stat status {};
  REQUIRE(stat(app.config.metrics->c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0644);
  CHECK(app.log.text().empty());
}

TEST_CASE("a change of the record counts once, whatever is written after it") {
  Writing app;
  app.write(deployed());
  app.write(deployed());
  CHECK(contains(read_file(*app.config.metrics), "\"deployed\"} 1\n"));
}

TEST_CASE("metrics that cannot be written are one warning") {
  Writing app;
  app.config.metrics = app.folder / "missing/app.prom";
  app.write(deployed());
  app.write({});
  CHECK(app.log.text().starts_with("warning: the metrics are not written: "));
  CHECK(std::ranges::count(app.log.text(), '\n') == 1);
}

}  // namespace
}  // namespace deployment
