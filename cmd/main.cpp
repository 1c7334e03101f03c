#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "cmd/options.hpp"
#include "cmd/version.hpp"
#include "lib/base/signals.hpp"
#include "lib/deploy/status.hpp"
#include "lib/process/runner.hpp"

namespace {

using namespace deployment;

int carry_out(const Options& options, Log& log) {
  if (options.help) {
    print(help_text());
    return 0;
  }
  if (options.version) {
    print(fmt::format("deployment-update {}\n", version));
    return 0;
  }
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
  try {
    const Options options = parse_options(argc, argv);
    log = Log(stderr, target, options.verbose);
    return carry_out(options, log);
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
