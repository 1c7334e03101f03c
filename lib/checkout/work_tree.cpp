#include "lib/checkout/work_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "lib/base/directory.hpp"
#include "lib/base/watchdog.hpp"

namespace deployment {
namespace {

// Returns true when a checkout would have to replace something at `path`. What
// is behind a link is not looked at.
bool exists_at(const std::string& path, const Directory& checkout) {
  return checkout.open(path, O_PATH).is_open() ||
         (errno != ENOENT && errno != ENOTDIR);
}

// Lists the files at or below `path`; each link is one.
Paths files_at(const std::string& path, const Directory& checkout) {
  if (!exists_at(path, checkout)) {
    return {};
  }
  const auto status = checkout.look_at(path);
  if (!status || !S_ISDIR(status->st_mode)) {
    return {path};
  }
  Paths files;
  for (const std::string& name : checkout.folder(path).names()) {
    files = joined(std::move(files), files_at(path + '/' + name, checkout));
  }
  return files;
}

// Returns those of `paths` that `commit` has as files or links.
Paths files_of(const GitReader& git, const CommitId& commit,
               const Paths& paths) {
  Paths files;
  for (const auto& [path, entry] : git.list_tree(commit.str(), paths)) {
    if (entry.is_link() || entry.mode.starts_with("100")) {
      files.push_back(path);
    }
  }
  return files;
}

// Calls `take` with each folder on the way to `path`, the outermost first,
// until it returns false.
template <typename Take>
void for_each_folder(const std::string& path, const Take& take) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (!take(path.substr(0, slash))) {
      return;
    }
  }
}

// Adds to `found` the local changes, of the sorted `dirty`, that writing
// `changed` would touch. A folder of untracked files ends with a slash.
void add_touched(const std::string& changed, const std::set<std::string>& dirty,
                 const Directory& checkout, std::set<std::string>& found) {
  if (dirty.contains(changed)) {
    found.insert(changed);
  }
  const std::string below = changed + '/';
  for (auto at = dirty.lower_bound(below);
       at != dirty.end() && at->starts_with(below); ++at) {
    found.insert(at->ends_with('/') ? changed : *at);
  }
  for_each_folder(changed, [&](const std::string& folder) {
    if (dirty.contains(folder)) {
      found.insert(folder);
    }
    if (dirty.contains(folder + '/') && exists_at(changed, checkout)) {
      found.insert(changed);
    }
    return true;
  });
}

// Returns the path that has to be removed before `path` can be written, be it a
// folder; nullopt when there is none.
std::optional<std::string> obstacle_of(const std::string& path,
                                       const Directory& checkout) {
  std::optional<std::string> obstacle;
  bool is_there = true;
  for_each_folder(path, [&](const std::string& folder) {
    const auto status = checkout.look_at(folder);
    is_there = status.has_value();
    if (is_there && !S_ISDIR(status->st_mode)) {
      obstacle = folder;
    }
    return is_there && !obstacle;
  });
  if (is_there && !obstacle && exists_at(path, checkout)) {
    obstacle = path;
  }
  return obstacle;
}

// Adds the files that git does not track and would overwrite all the same: it
// takes those that it is told to ignore for worth nothing.
void add_untracked(const GitReader& git, const CommitId& from,
                   const CommitId& to, std::set<std::string>& found) {
  std::set<std::string> obstacles;
  for (const std::string& added : git.changed_paths(from, to, "A")) {
    touch_watchdog();
    if (auto obstacle = obstacle_of(added, git.checkout())) {
      obstacles.insert(*std::move(obstacle));
    }
  }
  for (const std::string& path :
       git.untracked_files_at({obstacles.begin(), obstacles.end()})) {
    // A repository in the work tree ends with a slash.
    found.insert(path.ends_with('/') ? path.substr(0, path.size() - 1) : path);
  }
}

// The kind of an open file, and whether its owner may execute it.
mode_t kind_of(const Descriptor& file) {
  struct stat status {};
  return fstat(file.get(), &status) == 0 ? status.st_mode & (S_IFMT | S_IXUSR)
                                         : 0;
}

using Piece = std::array<char, 8192>;

// Reads the next piece of a file; it is shorter at the end only.
std::string_view next_piece(const Descriptor& file, Piece& piece) {
  std::size_t size = 0;
  ssize_t count = 0;
  do {
    touch_watchdog();
    count = TEMP_FAILURE_RETRY(
        ::read(file.get(), piece.data() + size, piece.size() - size));
    if (count < 0) {
      throw_errno("read a file of the checkout");
    }
    size += static_cast<std::size_t>(count);
  } while (count != 0 && size < piece.size());
  return {piece.data(), size};
}

bool begins_with(const Descriptor& file, const Descriptor& beginning) {
  Piece piece;     // NOLINT: read(2) fills it
  Piece expected;  // NOLINT: the same
  for (;;) {
    const std::string_view part = next_piece(beginning, expected);
    if (!next_piece(file, piece).starts_with(part)) {
      return false;
    }
    if (part.size() < expected.size()) {
      return true;
    }
  }
}

// Returns true when the checkout has at `path` what git laid out there, or its
// beginning.
bool is_half_written(const std::string& path, const Directory& checkout,
                     const Directory& laid_out) {
  if (const auto target = checkout.read_link(path)) {
    return target == laid_out.read_link(path);
  }
  const Descriptor found = checkout.open(path, O_RDONLY);
  const Descriptor whole = laid_out.open(path, O_RDONLY);
  return S_ISREG(kind_of(found)) && kind_of(found) == kind_of(whole) &&
         begins_with(whole, found);
}

// Returns those of `paths` that are half-written, by what git lays out in a
// folder in `place`.
Paths half_written_by(const std::filesystem::path& place, const GitReader& git,
                      const CommitId& commit, const Paths& paths) {
  const Directory& checkout = git.checkout();
  std::map<std::string, Paths> files;
  Paths all;
  for (const std::string& path : paths) {
    files[path] = files_at(path, checkout);
    all = joined(std::move(all), files[path]);
  }
  const TemporaryDirectory aside(git.user(), place);
  git.lay_out_aside(commit, files_of(git, commit, all), aside.path());
  const ActingAs user(git.user());
  const Directory laid_out(aside.path() / "tree");
  Paths half_written;
  for (const std::string& path : paths) {
    if (std::ranges::all_of(files[path], [&](const std::string& file) {
          return is_half_written(file, checkout, laid_out);
        })) {
      half_written.push_back(path);
    }
  }
  return half_written;
}

// Returns the local changes that moving between the commits touches, of those
// that `counts`, and the files that git does not track.
template <typename Counts>
Paths changes_between(const GitReader& git, const CommitId& from,
                      const CommitId& to, const Counts& counts) {
  std::set<std::string> dirty;
  for (const LocalChange& change : git.local_changes()) {
    if (counts(change)) {
      dirty.insert(change.path);
    }
  }
  std::set<std::string> found;
  if (!dirty.empty()) {
    for (const std::string& changed : git.changed_paths(from, to)) {
      touch_watchdog();
      add_touched(changed, dirty, git.checkout(), found);
    }
  }
  add_untracked(git, from, to, found);
  return {found.begin(), found.end()};
}

}  // namespace

Paths changes_in_the_way(const GitReader& git, const CommitId& from,
                         const CommitId& to) {
  // A file that is only missing is not in the way; a folder in its place is.
  return changes_between(git, from, to, [&](const LocalChange& change) {
    return !change.missing || exists_at(change.path, git.checkout());
  });
}

Paths changes_of_stopped_move(const GitReader& git, const CommitId& from,
                              const CommitId& to) {
  return changes_between(git, from, to,
                         [](const LocalChange& /*change*/) { return true; });
}

Paths half_written_files(const GitReader& git, const CommitId& commit,
                         const Paths& paths) {
  if (!git.has_commit(commit)) {
    return {};
  }
  try {
    const auto place = std::filesystem::temp_directory_path();
    return half_written_by(place, git, commit, paths);
  } catch (const Error&) {
    // It may be on the full disk that stopped the move, which only taking the
    // half back frees: memory lends the room (shm_overview(7)).
    try {
      return half_written_by("/dev/shm", git, commit, paths);
    } catch (const Error&) {
      // The first error says which folder needs room.
    }
    throw;
  }
}

}  // namespace deployment
