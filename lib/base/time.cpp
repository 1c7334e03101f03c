#include "lib/base/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace deployment {

Time now() {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now());
}

// The C library's gmtime and timegm would read /etc/localtime, though neither
// needs it: seven system calls in each run that reads a record.
std::string to_string(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format(
      "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<Time> parse_time(std::string_view text) {
  const std::string copy(text);
  std::tm fields{};
  const char* const end = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &fields);
  if (end == nullptr) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(fields.tm_year + 1900),
      std::chrono::month(static_cast<unsigned>(fields.tm_mon) + 1),
      std::chrono::day(static_cast<unsigned>(fields.tm_mday)));
  const Time time =
      std::chrono::sys_days(date) + std::chrono::hours(fields.tm_hour) +
      std::chrono::minutes(fields.tm_min) + std::chrono::seconds(fields.tm_sec);
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
