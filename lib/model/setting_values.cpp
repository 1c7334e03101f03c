#include "lib/model/setting_values.hpp"

#include <algorithm>
#include <cctype>

#include "lib/base/text.hpp"

namespace deployment {

bool stays_inside(const std::filesystem::path& path) {
  const auto normal = path.lexically_normal();
  return !normal.empty() && !normal.is_absolute() && *normal.begin() != "..";
}

std::filesystem::path inside_checkout(const std::string& value) {
  const std::filesystem::path path = value;
  if (!stays_inside(path)) {
    throw Refused{"a path inside the checkout, relative to it"};
  }
  return path.lexically_normal();
}

std::filesystem::path in_directory(const std::string& value) {
  const std::filesystem::path path = value;
  if (path.empty() || path.is_absolute()) {
    throw Refused{"a path relative to the component's directory"};
  }
  return path.lexically_normal();
}

std::string to_environment(const std::string& value) {
  const std::filesystem::path path =
      (std::filesystem::path(value) / "").lexically_normal().parent_path();
  if (!stays_inside(path) || path == "." ||
      std::ranges::find(path, ".git") != path.end()) {
    throw Refused{
        "a folder in that of the component, as node_modules or .venv"};
  }
  return path;
}

std::filesystem::path metrics_file(const std::string& value) {
  std::filesystem::path path = value;
  if (!path.is_absolute() || path.extension() != ".prom") {
    throw Refused{"an absolute path that ends with .prom"};
  }
  return path;
}

std::filesystem::path absolute(const std::string& value) {
  if (value.empty()) {
    throw Refused{"a folder"};
  }
  std::filesystem::path path = std::filesystem::absolute(value);
  path = path.lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

std::chrono::seconds to_seconds(const std::string& value) {
  const std::optional<int> seconds = parse_number(value);
  if (!seconds || *seconds > 86400) {
    throw Refused{"a whole number of seconds, 0 to 86400"};
  }
  return std::chrono::seconds(*seconds);
}

std::chrono::seconds to_timeout(const std::string& value) {
  const std::chrono::seconds timeout = to_seconds(value);
  if (timeout == timeout.zero()) {
    throw Refused{"a whole number of seconds, 1 to 86400"};
  }
  return timeout;
}

bool is_unit_name(std::string_view value) {
  return value.ends_with(".service") && !value.starts_with('-') &&
         value.size() <= 255 && std::ranges::all_of(value, [](unsigned char c) {
           return std::isalnum(c) != 0 ||
                  std::string_view(":_.\\@-").find(static_cast<char>(c)) !=
                      std::string_view::npos;
         });
}

bool is_variable_name(std::string_view name) {
  const bool begins_with_digit =
      !name.empty() && name.front() >= '0' && name.front() <= '9';
  return !name.empty() && !begins_with_digit &&
         std::ranges::all_of(name, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_';
         });
}

bool is_http_url(std::string_view value) {
  const bool has_host = (value.starts_with("http://") && value.size() > 7) ||
                        (value.starts_with("https://") && value.size() > 8);
  return has_host && std::ranges::all_of(
                         value, [](char c) { return c > 0x20 && c < 0x7F; });
}

StatusRanges to_status_ranges(const std::string& value) {
  const auto ranges = parse_status_ranges(value);
  return ranges ? *ranges
                : throw Refused{"statuses of HTTP, as in 200-299, 401"};
}

bool is_not_empty(std::string_view value) {
  return !value.empty();
}

CommandWords to_command_words(const std::string& value) {
  const auto words = split_words(value);
  if (!words || words->empty() || words->front().empty()) {
    throw Refused{
        "a program and its arguments, with all quotes closed; what takes a "
        "shell is sh -c '...'"};
  }
  return *words;
}

}  // namespace deployment
