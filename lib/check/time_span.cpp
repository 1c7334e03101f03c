#include "lib/check/time_span.hpp"

#include <map>

#include "lib/base/text.hpp"

namespace deployment {

std::optional<std::chrono::seconds> parse_time_span(std::string_view text) {
  using std::chrono::microseconds;
  using std::chrono::seconds;
  static const std::map<std::string_view, microseconds> units = {
      {"us", microseconds(1)},
      {"ms", std::chrono::milliseconds(1)},
      {"s", seconds(1)},
      {"min", std::chrono::minutes(1)},
      {"h", std::chrono::hours(1)},
      {"d", std::chrono::days(1)},
      {"w", std::chrono::weeks(1)},
      {"month", std::chrono::months(1)},
      {"y", std::chrono::years(1)}};
  microseconds sum{};
  if (trimmed(text).empty()) {
    return std::nullopt;
  }
  for (const std::string_view word : split(text, ' ')) {
    const std::size_t digits =
        std::min(word.find_first_not_of("0123456789"), word.size());
    const auto number = parse_number(word.substr(0, digits));
    const auto unit = units.find(word.substr(digits));
    if (!number || unit == units.end()) {
      return word == "0" ? std::optional(seconds::zero()) : std::nullopt;
    }
    sum += *number * unit->second;
  }
  return std::chrono::floor<seconds>(sum);
}

}  // namespace deployment
