#include "lib/model/http_status.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

// "200" or "200-399"
std::optional<StatusRange> parse_status_range(std::string_view text) {
  const std::size_t dash = std::min(text.find('-'), text.size());
  const auto first = parse_number(text.substr(0, dash));
  const auto last =
      dash == text.size() ? first : parse_number(text.substr(dash + 1));
  if (!first || !last || *first < 100 || *last > 599 || *last < *first) {
    return std::nullopt;
  }
  return StatusRange{.first = *first, .last = *last};
}

}  // namespace

std::optional<StatusRanges> parse_status_ranges(std::string_view text) {
  StatusRanges ranges;
  for (const std::string_view part : split(text, ',')) {
    const auto range = parse_status_range(trimmed(part));
    if (!range) {
      return std::nullopt;
    }
    ranges.push_back(*range);
  }
  return ranges.empty() ? std::nullopt : std::optional(ranges);
}

std::string to_string(const StatusRanges& ranges) {
  std::vector<std::string> parts;
  for (const StatusRange& range : ranges) {
    parts.push_back(range.first == range.last
                        ? std::to_string(range.first)
                        : fmt::format("{}-{}", range.first, range.last));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool contains(const StatusRanges& ranges, int status) {
  return std::ranges::any_of(ranges, [&](const StatusRange& range) {
    return range.first <= status && status <= range.last;
  });
}

}  // namespace deployment
