#include "lib/base/time.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace deployment {

Time now() {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now());
}

std::string to_string(Time time) {
  const std::time_t seconds = time.time_since_epoch().count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

std::optional<Time> parse_time(std::string_view text) {
  const std::string copy(text);
  std::tm fields{};
  const char* const end = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &fields);
  if (end == nullptr) {
    return std::nullopt;
  }
  const Time time{std::chrono::seconds(timegm(&fields))};
  // strptime(3) takes more than the one form, and days that no month has.
  return to_string(time) == text ? std::optional(time) : std::nullopt;
}

timespec to_timespec(std::chrono::nanoseconds duration) {
  const auto nanoseconds = std::max(duration, duration.zero()).count();
  return {.tv_sec = nanoseconds / 1'000'000'000,
          .tv_nsec = nanoseconds % 1'000'000'000};
}

std::string describe_duration(std::chrono::milliseconds duration) {
  using namespace std::chrono_literals;
  if (duration < 1min) {
    return fmt::format("{:.1f} s",
                       static_cast<double>(duration.count()) / 1000);
  }
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  if (duration < 1h) {
    return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  }
  return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

}  // namespace deployment
