#include <fmt/format.h>

#include "cmd/options.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

// Throws UsageError when one of these three is not the only action.
void require_sense_of_hold_and_poll(const Options& options) {
  const Request& request = options.request;
  const int actions = (options.hold ? 1 : 0) + (options.release ? 1 : 0) +
                      (options.poll ? 1 : 0);
  if (actions > 1 || only_looks(options) || request.force ||
      request.roll_back || request.wait.count() != 0) {
    throw UsageError(
        "command line: --hold, --release and --poll go with no other action");
  }
  if (options.hold && trimmed(*options.hold).empty()) {
    throw UsageError("command line: --hold takes the reason, which runs say");
  }
}

}  // namespace

bool only_looks(const Options& options) {
  return options.request.dry_run || options.status || options.history ||
         options.check;
}

void require_sense(const Options& options) {
  const Request& request = options.request;
  if (request.json && !only_looks(options)) {
    throw UsageError(
        "command line: --json goes with --dry-run, --status, --history or "
        "--check");
  }
  const bool does_more = request.dry_run || request.force ||
                         request.roll_back || request.wait.count() != 0;
  const int looks = (options.status ? 1 : 0) + (options.history ? 1 : 0) +
                    (options.check ? 1 : 0);
  if (looks > 1 || (looks == 1 && does_more)) {
    throw UsageError(fmt::format("command line: {} goes with --json alone",
                                 options.history  ? "--history"
                                 : options.status ? "--status"
                                                  : "--check"));
  }
  if (options.hold || options.release || options.poll) {
    require_sense_of_hold_and_poll(options);
  }
  if (request.roll_back && (request.dry_run || request.force)) {
    throw UsageError(
        "command line: --rollback goes neither with --dry-run nor --force");
  }
}

}  // namespace deployment
