#include "lib/checkout/work_tree.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <set>

#include "lib/base/file.hpp"

namespace deployment {
namespace {

std::optional<std::string> read_link(const std::filesystem::path& path) {
  std::error_code error;
  const auto target = std::filesystem::read_symlink(path, error);
  return error ? std::nullopt : std::optional(target.string());
}

// Returns true when a checkout would have to replace something at `path`.
bool exists_at(const std::filesystem::path& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

// Lists the files below `folder` by their paths in `checkout`.
Paths files_below(const std::filesystem::path& folder,
                  const std::filesystem::path& checkout) {
  Paths files;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.is_symlink() || !entry.is_directory()) {
      files.push_back(entry.path().lexically_relative(checkout));
    }
  }
  return files;
}

// Returns true when writing `changed` would touch the local change `dirty`. A
// folder of untracked files ends with a slash.
bool touches(const std::string& changed, const std::string& dirty,
             const std::filesystem::path& checkout) {
  if (changed == dirty || dirty.starts_with(changed + "/") ||
      changed.starts_with(dirty + "/")) {
    return true;
  }
  return dirty.ends_with('/') && changed.starts_with(dirty) &&
         exists_at(checkout / changed);
}

}  // namespace

Paths changes_in_the_way(const GitReader& git, const CommitId& from,
                         const CommitId& to) {
  Paths dirty;
  for (const LocalChange& change : git.local_changes()) {
    // A file that is only missing is not in the way; a folder in its place is.
    if (!change.missing || exists_at(git.directory() / change.path)) {
      dirty.push_back(change.path);
    }
  }
  if (dirty.empty()) {
    return {};
  }
  std::set<std::string> found;
  for (const std::string& changed : git.changed_paths(from, to)) {
    for (const std::string& path : dirty) {
      if (touches(changed, path, git.directory())) {
        found.insert(path.ends_with('/') ? changed : path);
      }
    }
  }
  return {found.begin(), found.end()};
}

Paths half_written_files(const GitReader& git, const CommitId& commit,
                         const Paths& paths) {
  if (!git.has_commit(commit)) {
    return {};
  }
  const auto entries = git.list_tree(commit.str(), paths);
  const auto is_half_written = [&](const std::string& path) {
    const std::filesystem::path file = git.directory() / path;
    if (!exists_at(file)) {
      return true;
    }
    if (std::filesystem::is_directory(symlink_status(file))) {
      const auto files = files_below(file, git.directory());
      return half_written_files(git, commit, files) == files;
    }
    const auto found = entries.find(path);
    if (found == entries.end()) {
      return false;
    }
    const TreeEntry& entry = found->second;
    // A killed move may have been at a file of any length.
    constexpr auto any = std::numeric_limits<std::size_t>::max();
    const auto content =
        entry.is_link() ? read_link(file) : read_regular_file(file, any);
    return content && git.read_blob(entry.id, any).starts_with(*content);
  };
  Paths half_written;
  std::ranges::copy_if(paths, std::back_inserter(half_written),
                       is_half_written);
  return half_written;
}

}  // namespace deployment
