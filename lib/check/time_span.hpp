// Reads lengths of time as systemd prints them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace deployment {

// Reads "1min 30s" or "9h", rounded down to seconds; nullopt for "infinity" and
// for anything else (systemd.time(7)).
std::optional<std::chrono::seconds> parse_time_span(std::string_view text);

}  // namespace deployment
