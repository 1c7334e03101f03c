// Whether a service answers over HTTP.
#pragma once

#include <string>

#include "lib/process/command.hpp"

namespace deployment {

// Asks `url` once, by curl(1), within `prototype`'s timeout. Empty: it
// answered 2xx or 3xx. Else what went wrong, one line.
std::string ask_health(CommandRunner& runner, Command prototype,
                       const std::string& url);

}  // namespace deployment
