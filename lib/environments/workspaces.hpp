// Reads the workspaces that a package.json of npm names.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace deployment {

// A longer text is not looked into: its JSON is some times as large.
constexpr std::size_t longest_package_json = 256 << 10;

// Returns true when npm takes `folder`, relative to that of `package_json` (the
// text), for one of its workspaces: by the patterns of "workspaces", of which
// the last that matches counts; one that begins with "!" takes folders out
// (@npmcli/map-workspaces). A text that is no JSON names none. nullopt: it
// cannot be told, as of a pattern with braces.
std::optional<bool> has_workspace(std::string_view package_json,
                                  const std::filesystem::path& folder);

}  // namespace deployment
