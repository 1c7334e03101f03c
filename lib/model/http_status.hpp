// Statuses of HTTP that a health check takes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deployment {

struct StatusRange {
  int first = 0;
  int last = 0;

  bool operator==(const StatusRange&) const = default;
};

using StatusRanges = std::vector<StatusRange>;

// Reads "200-299, 401"; nullopt for anything else.
std::optional<StatusRanges> parse_status_ranges(std::string_view text);

// The reverse.
std::string to_string(const StatusRanges& ranges);

bool contains(const StatusRanges& ranges, int status);

}  // namespace deployment
