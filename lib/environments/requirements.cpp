#include "lib/environments/requirements.hpp"

#include <algorithm>
#include <array>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

// Lines with a backslash at their end joined with the next one.
std::vector<std::string> logical_lines(std::string_view text) {
  std::vector<std::string> lines;
  std::string line;
  for (std::string_view part : split(text, '\n')) {
    if (part.ends_with('\r')) {
      part.remove_suffix(1);
    }
    const bool comment = trimmed(part).starts_with('#');
    if (part.ends_with('\\') && !comment) {
      line += part.substr(0, part.size() - 1);
      continue;
    }
    lines.push_back(line + std::string(part));
    line.clear();
  }
  if (!line.empty()) {
    lines.push_back(line);
  }
  return lines;
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

std::vector<std::string> included_files(std::string_view text) {
  constexpr std::array<std::string_view, 4> options = {
      "--requirement", "--constraint", "-r", "-c"};
  std::vector<std::string> files;
  for (const std::string& logical : logical_lines(text)) {
    const std::string_view line = trimmed(without_comment(logical));
    for (const std::string_view option : options) {
      const std::string_view file = unquoted(value_of(line, option));
      if (!file.empty() && file.find("://") == std::string_view::npos) {
        files.emplace_back(file);
      }
    }
  }
  return files;
}

}  // namespace deployment
