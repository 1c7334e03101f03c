// Writes metrics for Prometheus: the textfile collector of its node exporter
// reads them.
#pragma once

#include <functional>

#include "lib/base/log.hpp"
#include "lib/model/config.hpp"
#include "lib/model/history.hpp"

namespace deployment {

// Returns the metrics in Prometheus' text format. `version` is the program's.
std::string metrics_text(const Config& config, const Record& record,
                         const History& history, bool is_held,
                         std::string_view version);

using MetricsWriter = std::function<void(const Record&)>;

// Returns a function that replaces the file of the setting `metrics` by those
// of a record; an empty one without that setting. What goes wrong is one
// warning; it tries again at each change.
MetricsWriter metrics_writer(const Config& config, std::string_view version,
                             Log& log);

// Returns true when the record, the history or the hold changed after the
// metrics were made of these: that is told by the time of the file, which is
// that of the directory's last change.
bool are_metrics_stale(const Config& config);

// Writes the metrics when they are stale: after a hold, or when a run could not
// write them or was killed.
void write_stale_metrics(const Config& config, const MetricsWriter& write);

}  // namespace deployment
