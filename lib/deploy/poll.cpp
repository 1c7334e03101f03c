#include "lib/deploy/poll.hpp"

#include <fmt/format.h>

#include "lib/base/signals.hpp"
#include "lib/deploy/hold.hpp"
#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/deploy/metrics.hpp"
#include "lib/deploy/notices.hpp"
#include "lib/deploy/other_records.hpp"
#include "lib/deploy/report.hpp"
#include "lib/model/paths.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// Returns true when the last run of the unit failed, as a drop-in of it notes:
// the next one finds out whether it still does.
bool has_failed(const std::string& unit) {
  const std::string name = unit.substr(0, unit.rfind(".service"));
  std::error_code unknown;
  return std::filesystem::exists(
      std::filesystem::path(lock_folder) / (name + ".failed"), unknown);
}

// Returns what a run would say that changes nothing, not even the record, and
// ends with 0; nullopt: a run would do more. Throws Error where a run would.
std::optional<std::string> words_of_an_idle_run(const Config& config,
                                                const std::string& unit,
                                                Log& log,
                                                CommandRunner& runner) {
  refuse_beside_root(config);
  const std::optional<Hold> hold = read_hold(config);
  if (has_failed(unit) || has_news(config) || are_metrics_stale(config)) {
    return std::nullopt;
  }
  if (hold) {
    return describe_until_release(*hold, config) + '\n';
  }
  const Host host(config, log, runner);
  const Record record = Journal(*config.state_dir).record();
  host.require_own(record);
  if (record.checkout.empty()) {
    refuse_other_record(host);
  }
  const Standing standing = host.standing(record);
  if (standing.is_another_clone || record.pending || record.moving_to ||
      record.remote_away_since) {
    return std::nullopt;
  }
  const Heads heads = host.git.heads();
  const Verdict verdict = decide(config, record, standing, heads, now(), false);
  if (verdict == Verdict::up_to_date && !record.quarantined) {
    return no_changes;
  }
  if (verdict == Verdict::quarantined) {
    const std::optional<CommitId> here = checked_out(host, heads);
    return exit_code_of_stuck(record, here) == 0
               ? std::optional(describe_stuck(record, here) + '\n')
               : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

int poll(const Config& config, const std::string& unit, Log& log,
         CommandRunner& runner) {
  try {
    if (const auto words = words_of_an_idle_run(config, unit, log, runner)) {
      log.print_result(*words);
      return 0;
    }
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& error) {
    log.debug(error.what());  // the unit says it, and fails
  }
  log.info("starting " + unit);
  make_systemd(config, runner).start(unit);
  return 0;
}

}  // namespace deployment
