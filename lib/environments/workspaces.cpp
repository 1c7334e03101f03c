#include "lib/environments/workspaces.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/json.hpp"

namespace deployment {
namespace {

using Parts = std::vector<std::string>;

// Names of folders; "./" and slashes at both ends do not count.
Parts parts_of(const std::filesystem::path& path) {
  Parts parts;
  for (const std::filesystem::path& part :
       path.relative_path().lexically_normal()) {
    if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  return parts;
}

// "**" stands for any folders, also none; fnmatch(3) knows the rest.
bool matches(const Parts& pattern, const Parts& folder) {
  std::vector<bool> reached(folder.size() + 1);  // by as many names
  reached[0] = true;
  for (const std::string& part : pattern) {
    std::vector<bool> next(reached.size());
    for (std::size_t i = 0; i < next.size(); ++i) {
      next[i] = part == "**" ? reached[i] || (i > 0 && next[i - 1])
                             : i > 0 && reached[i - 1] &&
                                   fnmatch(part.c_str(), folder[i - 1].c_str(),
                                           FNM_PERIOD) == 0;
    }
    reached = std::move(next);
  }
  return reached.back();
}

// False for a pattern with braces or parentheses, which fnmatch(3) does not
// know, and for one that it might take for ever to compare.
bool is_known(const std::string& pattern, const Parts& parts) {
  return pattern.find_first_of("{(") == std::string::npos &&
         std::ranges::all_of(parts, [](const std::string& part) {
           return std::ranges::count(part, '*') <= 3;
         });
}

// Returns the patterns of "workspaces", a list or {"packages": list}. Of the
// text no more is kept.
Json patterns_of(std::string_view package_json) {
  const auto is_kept = [](int depth, Json::parse_event_t event,
                          const Json& parsed) {
    return depth != 1 || event != Json::parse_event_t::key ||
           parsed == "workspaces";
  };
  const Json package = Json::parse(package_json, is_kept, false);
  if (!package.is_object() || !package.contains("workspaces")) {
    return {};
  }
  const Json& workspaces = package["workspaces"];
  const Json patterns = workspaces.is_object()
                            ? workspaces.value("packages", Json())
                            : workspaces;
  return patterns.is_array() ? patterns : Json();
}

}  // namespace

std::optional<bool> has_workspace(std::string_view package_json,
                                  const std::filesystem::path& folder) {
  if (package_json.size() > longest_package_json) {
    return std::nullopt;
  }
  const Parts parts = parts_of(folder);
  std::optional<bool> found = false;
  for (const Json& entry : patterns_of(package_json)) {
    if (!entry.is_string()) {
      continue;
    }
    std::string pattern = entry;
    const bool takes_out = pattern.starts_with('!');
    pattern.erase(0, takes_out ? 1 : 0);
    const Parts wanted = parts_of(pattern);
    const bool is_told = is_known(pattern, wanted);
    if (is_told && matches(wanted, parts)) {
      found = !takes_out;
    } else if (!is_told && found != !takes_out) {
      found.reset();
    }
  }
  return found;
}

}  // namespace deployment
