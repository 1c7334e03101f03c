// Reads the workspaces that a package.json of npm names.
#pragma once

#include <filesystem>
#include <string_view>

namespace deployment {

// Returns true when npm takes `folder`, relative to that of `package_json` (the
// text), for one of its workspaces: by the patterns of "workspaces", of which
// the last that matches counts; one that begins with "!" takes folders out
// (@npmcli/map-workspaces). A text that is no JSON names none. What is not
// known of it, as of a pattern with braces, counts as a match: an input too
// many builds once too often, one too few is never noticed.
bool has_workspace(std::string_view package_json,
                   const std::filesystem::path& folder);

}  // namespace deployment
