#include "lib/base/time.hpp"

#include <fmt/format.h>

#include <charconv>

namespace deployment {
namespace {

// Reads exactly `digits` decimal digits from the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  int value = 0;
  if (text.size() < digits) {
    return std::nullopt;
  }
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

}  // namespace

Time now() {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now());
}

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
  const auto year = take_number(text, 4);
  const bool dash = take(text, '-');
  const auto month = take_number(text, 2);
  const bool dash2 = take(text, '-');
  const auto day = take_number(text, 2);
  const bool t = take(text, 'T');
  const auto hour = take_number(text, 2);
  const bool colon = take(text, ':');
  const auto minute = take_number(text, 2);
  const bool colon2 = take(text, ':');
  const auto second = take_number(text, 2);
  if (!year || !month || !day || !hour || !minute || !second || !dash ||
      !dash2 || !t || !colon || !colon2 || text != "Z") {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(*year),
      std::chrono::month(static_cast<unsigned>(*month)),
      std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second);
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
