#include "lib/environments/requirements.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

// Takes a line off `text`, which is not empty: lines with a backslash at their
// end are joined with the next one.
std::string take_logical_line(std::string_view& text) {
  std::string line;
  while (!text.empty()) {
    std::string_view part = take_part(text, '\n');
    if (part.ends_with('\r')) {
      part.remove_suffix(1);
    }
    const bool comment = trimmed(part).starts_with('#');
    if (part.ends_with('\\') && !comment) {
      line += part.substr(0, part.size() - 1);
      continue;
    }
    line += part;
    break;
  }
  return line;
}

// A comment begins at the start of a line or behind white space.
std::string_view without_comment(std::string_view line) {
  if (line.starts_with('#')) {
    return {};
  }
  return line.substr(0, std::min(line.find(" #"), line.find("\t#")));
}

// The value of `option` at the start of `line`; empty when it is not there.
std::string_view value_of(std::string_view line, std::string_view option) {
  if (!line.starts_with(option)) {
    return {};
  }
  line.remove_prefix(option.size());
  if (option.starts_with("--") && line.find_first_of("= \t") != 0) {
    return {};
  }
  if (line.starts_with('=')) {
    line.remove_prefix(1);
  }
  return trimmed(line);
}

std::string_view unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == value.back() &&
      (value.front() == '"' || value.front() == '\'')) {
    return value.substr(1, value.size() - 2);
  }
  return value;
}

}  // namespace

void for_each_included(std::string_view text,
                       const std::function<void(std::string_view)>& take) {
  constexpr std::array<std::string_view, 4> options = {
      "--requirement", "--constraint", "-r", "-c"};
  while (!text.empty()) {
    const std::string logical = take_logical_line(text);
    const std::string_view line = trimmed(without_comment(logical));
    for (const std::string_view option : options) {
      const std::string_view file = unquoted(value_of(line, option));
      if (!file.empty() && file.find("://") == std::string_view::npos) {
        take(file);
      }
    }
  }
}

}  // namespace deployment
