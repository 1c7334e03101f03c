#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>

#include "cmd/options.hpp"
#include "cmd/version.hpp"
#include "lib/base/journal_socket.hpp"
#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/time.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/check/check.hpp"
#include "lib/deploy/history.hpp"
#include "lib/deploy/hold.hpp"
#include "lib/deploy/metrics.hpp"
#include "lib/deploy/poll.hpp"
#include "lib/deploy/status.hpp"
#include "lib/process/runner.hpp"

namespace {

using namespace deployment;

// Until the configuration tells another one.
constexpr std::chrono::minutes first_limit(2);

std::string last_words(const Log& log, std::chrono::seconds limit,
                       const std::string& places, const std::string& advice) {
  return log.last_words(fmt::format(
      "no progress for {}: a file system hangs, perhaps that of {}, or nobody "
      "reads this output\nwhat to do: {}",
      describe_duration(limit), places, advice));
}

void limit_calls(Watchdog& watchdog, const Config& config, const Log& log) {
  const auto limit = std::max(config.git_timeout, Watchdog::shortest_limit);
  const std::string checkout = config.repo_dir.string();
  const std::string state = config.state_dir->string();
  watchdog.set(limit,
               last_words(log, limit, checkout + " or of " + state,
                          fmt::format("look which one it is: timeout 5 stat -f "
                                      "{} {}; the next run continues",
                                      quoted(checkout), quoted(state))));
}

int carry_out(const Options& options, Log& log, Watchdog& watchdog) {
  if (options.help) {
    print(help_text());
    return 0;
  }
  if (options.version) {
    print(fmt::format("deployment-update {}\n", version));
    return 0;
  }
  limit_calls(watchdog, options.config, log);
  if (options.history) {
    print(describe_history(options.config,
                           static_cast<std::size_t>(options.count),
                           options.request.json, log));
    return 0;
  }
  if (options.hold || options.release) {
    const int code = options.hold
                         ? begin_hold(options.config, *options.hold, log)
                         : end_hold(options.config, log);
    write_stale_metrics(options.config,
                        metrics_writer(options.config, version, log));
    return code;
  }
  ProcessRunner runner(log);
  if (options.poll) {
    return poll(options.config, *options.poll, log, runner);
  }
  if (options.status) {
    print(describe_status(options.config, options.request.json, log, runner));
    return 0;
  }
  if (options.check) {
    return check(options.config, options.request.json, log, runner);
  }
  return run(options.config, options.request, log, runner);
}

// Lets a run that may change something be told of in the journal, wherever its
// output goes.
void copy_to_journal(Log& log, const Options& options) {
  if (!options.help && !options.version && !only_looks(options)) {
    log.copy_to(std::make_shared<JournalSocket>("deployment-update"));
  }
}

}  // namespace

int main(int argc, char* argv[]) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  catch_signals();
  const Log::Target target = Log::target_of(stderr);
  Log log(stderr, target, false);
  std::optional<Watchdog> watchdog;  // of the last word, too
  try {
    watchdog.emplace(
        first_limit,
        last_words(log, first_limit, "the configuration",
                   "look at the file system of the configuration file"));
    Options options = parse_options(argc, argv);
    options.request.version = version;
    log = Log(stderr, target, options.verbose);
    if (target != Log::Target::journal) {
      copy_to_journal(log, options);
    }
    return carry_out(options, log, *watchdog);
  } catch (const Interrupted& interruption) {
    log.error(interruption.text());
    return interruption.exit_code();
  } catch (const Error& error) {
    log.error(error.what());
    if (error.advice()) {
      log.error("what to do: " + *error.advice());
    }
    return error.exit_code();
  } catch (const std::exception& error) {
    log.error(error.what());
    return exit_failed;
  }
}
