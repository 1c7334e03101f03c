#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <exception>

#include "cmd/options.hpp"
#include "cmd/version.hpp"
#include "lib/base/signals.hpp"
#include "lib/deploy/status.hpp"
#include "lib/process/runner.hpp"

namespace {

using namespace deployment;

// Prints on standard output. A reader that went away, as head(1) does, has what
// it wanted.
int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  if (std::fflush(stdout) != 0 && errno != EPIPE) {
    throw_errno("write to standard output");
  }
  return 0;
}

int carry_out(const Options& options, Log& log) {
  ProcessRunner runner(log);
  switch (options.action) {
    case Options::Action::help:
      return print(help_text());
    case Options::Action::version:
      return print(fmt::format("deployment-update {}\n", version));
    case Options::Action::status:
      return print(
          describe_status(options.config, options.request.json, log, runner));
    case Options::Action::run:
      return run(options.config, options.request, log, runner);
  }
  return exit_usage;
}

int report(Log& log, const Error& error) {
  log.error(error.what());
  if (!error.advice().empty()) {
    log.error("what to do: " + error.advice());
  }
  return error.exit_code();
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
    return report(log, error);
  } catch (const std::exception& error) {
    log.error(fmt::format("unexpected: {}", error.what()));
    return exit_failed;
  }
}
