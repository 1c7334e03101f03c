#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>

#include "cmd/options.hpp"
#include "cmd/version.hpp"
#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/time.hpp"
#include "lib/base/watchdog.hpp"
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
  ProcessRunner runner(log);
  if (options.status) {
    print(describe_status(options.config, options.request.json, log, runner));
    return 0;
  }
  return run(options.config, options.request, log, runner);
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
    const Options options = parse_options(argc, argv);
    log = Log(stderr, target, options.verbose);
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
