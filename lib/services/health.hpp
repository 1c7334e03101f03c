// Asks a service over HTTP.
#pragma once

#include "lib/process/command.hpp"

namespace deployment {

// Asks `url` once, by curl(1), within the timeout of `context`. Returns one
// line about what went wrong, or nullopt when the answer was 2xx or 3xx.
std::optional<std::string> ask_health(CommandRunner& runner,
                                      const Context& context,
                                      const std::string& url);

}  // namespace deployment
