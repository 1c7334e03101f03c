#include "lib/deploy/metrics.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/algorithm/string/replace.hpp>
#include <memory>
#include <utility>

#include "lib/base/directory.hpp"
#include "lib/deploy/history.hpp"
#include "lib/deploy/hold.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/deploy/report.hpp"
#include "lib/deploy/status_text.hpp"

namespace deployment {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

// Escapes the value of a label.
std::string label_value(std::string value) {
  boost::replace_all(value, "\\", "\\\\");
  boost::replace_all(value, "\"", "\\\"");
  boost::replace_all(value, "\n", "\\n");
  return value;
}

// Makes the text of metrics that all have the same application.
class Exposition {
 public:
  explicit Exposition(const Config& config) : application_(config.instance) {}

  // Begins a metric, to whose name `prefix` is added.
  void metric(std::string_view name, std::string_view type,
              std::string_view help) {
    name_ = fmt::format("deployment_update_{}", name);
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help, type);
  }

  void value(std::int64_t value, Labels labels = {}) {
    if (application_) {
      labels.insert(labels.begin(), {"application", *application_});
    }
    std::string in_braces;
    for (const auto& [name, label] : labels) {
      in_braces += fmt::format("{}{}=\"{}\"", in_braces.empty() ? "" : ",",
                               name, label_value(label));
    }
    text += name_ +
            (in_braces.empty() ? "" : fmt::format("{{{}}}", in_braces)) +
            fmt::format(" {}\n", value);
  }

  void gauge(std::string_view name, std::string_view help, std::int64_t value) {
    metric(name, "gauge", help);
    this->value(value);
  }

  std::string text = {};

 private:
  std::optional<std::string> application_;
  std::string name_ = {};
};

// Returns when `path` was changed; nullopt: it is not there.
std::optional<timespec> change_of(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? std::optional(status.st_mtim)
                                            : std::nullopt;
}

std::int64_t seconds_of(const std::optional<Time>& time) {
  return time ? time->time_since_epoch().count() : 0;
}

}  // namespace

std::string metrics_text(const Config& config, const Record& record,
                         const History& history, bool is_held,
                         std::string_view version) {
  Exposition metrics(config);
  metrics.metric("info", "gauge",
                 "The commit that is deployed, and the version of the program "
                 "that deployed it.");
  metrics.value(1, {{"commit", record.deployed ? record.deployed->str() : ""},
                    {"version", std::string(version)}});
  metrics.gauge("deployed_timestamp_seconds",
                "When that commit was deployed; 0 when that is not known.",
                seconds_of(deployed_at(record)));
  metrics.gauge("pending", "1 while a deployment or rollback is not done.",
                record.pending ? 1 : 0);
  metrics.gauge("attempts", "Attempts at the pending one that failed.",
                record.pending ? record.pending->attempts : 0);
  metrics.gauge("deferred_since_timestamp_seconds",
                "Since when the gate says not now; 0 when it does not.",
                seconds_of(record.pending ? record.pending->deferred_since
                                          : std::nullopt));
  const bool is_asked = !record.quarantined_by.empty();
  metrics.metric("quarantined", "gauge",
                 "1 while a commit is skipped: since it failed, or since a "
                 "person asked for that.");
  metrics.value(record.quarantined && !is_asked ? 1 : 0,
                {{"reason", "failed"}});
  metrics.value(record.quarantined && is_asked ? 1 : 0, {{"reason", "asked"}});
  metrics.gauge("held", "1 while a person holds deployments back.",
                is_held ? 1 : 0);
  metrics.gauge("remote_away_since_timestamp_seconds",
                "Since when the remote does not answer; 0 when it does.",
                seconds_of(record.remote_away_since));
  metrics.gauge("last_duration_seconds",
                "What the last deployment took, however it ended.",
                history.entries.empty()
                    ? 0
                    : history.entries.back().deployment.duration.count());
  metrics.metric("deployments_total", "counter",
                 "Deployments by how they ended, each attempt counted.");
  for (const Deployment::Outcome outcome :
       {Deployment::Outcome::deployed, Deployment::Outcome::failed,
        Deployment::Outcome::rolled_back}) {
    const auto total = history.totals.find(outcome);
    metrics.value(total == history.totals.end() ? 0 : total->second,
                  {{"outcome", std::string(to_string(outcome))}});
  }
  return metrics.text;
}

MetricsWriter metrics_writer(const Config& config, std::string_view version,
                             Log& log) {
  if (!config.metrics) {
    return {};
  }
  // Read at the first change, and kept.
  const auto history = std::make_shared<std::optional<History>>();
  const auto has_failed = std::make_shared<bool>(false);
  return [&config, version, &log, history, has_failed](const Record& record) {
    try {
      // Before all that is read: what changes meanwhile is seen later.
      const auto changed = change_of(*config.state_dir);
      if (!*history) {
        *history = known_history(*config.state_dir, record).history;
      }
      catch_up(**history, record.history);
      Directory(config.metrics->parent_path())
          .replace(config.metrics->filename(),
                   metrics_text(config, record, **history,
                                look_at_hold(config).has_value(), version),
                   changed);
    } catch (const std::exception& error) {
      if (!std::exchange(*has_failed, true)) {
        log.warning("the metrics are not written: " + one_line(error.what()));
      }
    }
  };
}

bool are_metrics_stale(const Config& config) {
  if (!config.metrics) {
    return false;
  }
  const auto made = change_of(*config.metrics);
  const auto changed = change_of(*config.state_dir);
  if (made && config.metrics->parent_path() == *config.state_dir) {
    return false;  // each write of the file changes that folder again
  }
  // Some file systems keep whole seconds (utimensat(2)).
  return changed && (!made || made->tv_sec != changed->tv_sec ||
                     (made->tv_nsec != 0 && made->tv_nsec != changed->tv_nsec));
}

void write_stale_metrics(const Config& config, const MetricsWriter& write) {
  if (!write || !are_metrics_stale(config)) {
    return;
  }
  try {
    write(Journal(*config.state_dir).record());
  } catch (const Error&) {
    return;  // a run that needs the record says what is wrong with it
  }
}

}  // namespace deployment
