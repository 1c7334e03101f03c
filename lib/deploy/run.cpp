#include "lib/deploy/run.hpp"

#include <fmt/format.h>

#include "lib/checkout/run_lock.hpp"
#include "lib/deploy/deploy.hpp"
#include "lib/deploy/dry_run.hpp"
#include "lib/deploy/hold.hpp"
#include "lib/deploy/metrics.hpp"
#include "lib/deploy/notices.hpp"
#include "lib/deploy/other_records.hpp"
#include "lib/deploy/report.hpp"

namespace deployment {
namespace {

bool passes_hold(const Request& request) {
  return request.force || request.roll_back;
}

void say_hold(const Hold& hold, const Config& config, const Request& request,
              Log& log) {
  if (passes_hold(request)) {
    log.info(fmt::format("held {}; goes on, since a person asks for it",
                         describe(hold)));
  } else if (request.dry_run) {
    log.info(fmt::format("held {}; without the hold a run would do this:",
                         describe(hold)));
  } else {
    log.info(describe_until_release(hold, config));
  }
}

// Says who holds deployments back, if anybody does. Returns true when that
// holds this run back.
bool meets_hold(const Config& config, const Request& request, Log& log) {
  const std::optional<Hold> hold = read_hold(config);
  if (hold) {
    say_hold(*hold, config, request, log);
  }
  return hold && !passes_hold(request);
}

// Opens what a run works on. Throws Error when that cannot be had.
struct Place {
  Place(const Config& config, const Request& request, Log& log,
        CommandRunner& runner, const MetricsWriter& write_metrics)
      : host(config, log, runner),
        lock(*host.checkout, host.user, request.wait),
        journal(*config.state_dir) {
    journal.on_change(write_metrics);
  }

  Host host;
  const Lock lock;
  Journal journal;
};

// Carries out a run that may change something, and tells what came of it.
int go(Place& place, const Request& request) {
  tell(place.host, place.journal, {.is_begin = true});
  try {
    const int code = deploy(place.host, request, place.journal);
    tell(place.host, place.journal, {});
    return code;
  } catch (const Error& error) {
    if (!request.by_hand) {
      tell(place.host, place.journal,
           {.failure = Failure{.step = "planning", .error = one_line(error)}});
    }
    throw;
  }
}

int go_or_stay(const Config& config, const Request& request, Log& log,
               CommandRunner& runner, const MetricsWriter& write_metrics) {
  std::optional<Place> place;
  bool is_held = false;
  try {
    is_held = meets_hold(config, request, log);
    // A held run only tells what nobody was told yet.
    if (!is_held || has_news(config)) {
      place.emplace(config, request, log, runner, write_metrics);
    }
  } catch (const Error& error) {
    // A run that meets another one has not failed.
    if (!request.by_hand && error.exit_code() != exit_locked) {
      tell_of_stop(config, {.step = "starting", .error = one_line(error)}, log,
                   runner);
    }
    throw;
  }
  if (!is_held) {
    return go(*place, request);
  }
  if (place) {
    tell(place->host, place->journal, {.is_begin = true});
  }
  return 0;
}

}  // namespace

int run(const Config& config, const Request& request, Log& log,
        CommandRunner& runner) {
  if (request.dry_run) {
    meets_hold(config, request, log);
    Host host(config, log, runner);
    return dry_run(host, Journal(*config.state_dir).record(), request);
  }
  refuse_beside_root(config);
  const MetricsWriter write_metrics =
      metrics_writer(config, request.version, log);
  const int code = go_or_stay(config, request, log, runner, write_metrics);
  write_stale_metrics(config, write_metrics);
  return code;
}

}  // namespace deployment
