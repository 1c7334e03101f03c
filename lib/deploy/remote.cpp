#include "lib/deploy/remote.hpp"

#include <fmt/format.h>

#include "lib/base/time.hpp"
#include "lib/deploy/report.hpp"

namespace deployment {

std::optional<Heads> ask_remote(const Host& host, const Record& record) {
  try {
    Heads heads = host.git.heads();
    if (record.remote_away_since) {
      host.log.info(fmt::format(
          "{} answers again; it was away for {}", host.config.remote,
          describe_duration(now() - *record.remote_away_since)));
    }
    return heads;
  } catch (const RemoteUnreachable& error) {
    host.log.error(one_line(error.what()) + "; " + error.advice());
    return std::nullopt;
  }
}

}  // namespace deployment
