// Points in time as the record and the log write them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

struct timespec;

namespace deployment {

// Wall-clock time, in whole seconds since 1970-01-01 UTC.
using Time = std::chrono::sys_seconds;

Time now();

// RFC 3339 in UTC: 2024-02-29T12:34:56Z.
std::string to_string(Time time);

// The reverse; nullopt for anything else than that form.
std::optional<Time> parse_time(std::string_view text);

// For ppoll(2); zero for a negative duration.
timespec to_timespec(std::chrono::nanoseconds duration);

// Describes a duration: "0.4 s", "3 min 12 s", "2 h 5 min".
std::string describe_duration(std::chrono::milliseconds duration);

}  // namespace deployment
