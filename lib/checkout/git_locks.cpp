#include "lib/checkout/git_locks.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "lib/model/paths.hpp"
#include "lib/process/processes.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

bool is_inside(const fs::path& path, const fs::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

// A process called git or git-something, or one that git keeps waiting for an
// editor, counts by its name and the folder it works in.
bool is_git_in(const fs::path& process, const fs::path& checkout) {
  if (!first_line_of(process / "comm").starts_with("git")) {
    return false;
  }
  std::error_code error;
  const fs::path folder = fs::read_symlink(process / "cwd", error);
  return error ? error != std::errc::no_such_file_or_directory
               : is_inside(folder, checkout);
}

std::optional<pid_t> live_git_in(const fs::path& checkout) {
  std::error_code error;
  const fs::path real = fs::canonical(checkout, error);
  for (const pid_t pid : process_ids()) {
    if (is_git_in(process_folder(pid), real)) {
      return pid;
    }
  }
  return std::nullopt;
}

// Lists the places where a lock would be in the way.
std::vector<fs::path> lock_places(const Config& config) {
  const fs::path git = config.repo_dir / ".git";
  std::vector<fs::path> places;
  for (const std::string& name :
       {"index"s, "shallow"s, "HEAD"s, "ORIG_HEAD"s, "packed-refs"s, "config"s,
        "refs/heads/" + config.branch,
        fmt::format("refs/remotes/{}/{}", config.remote, config.branch)}) {
    places.push_back(git / (name + ".lock"));
  }
  std::error_code error;
  for (const auto& entry :
       fs::recursive_directory_iterator(git / own_refs, error)) {
    if (entry.path().extension() == ".lock") {
      places.push_back(entry.path());
    }
  }
  return places;
}

}  // namespace

std::vector<GitLock> find_git_locks(const Config& config) {
  std::vector<GitLock> locks;
  for (const fs::path& path : lock_places(config)) {
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0) {
      const auto age =
          std::max<std::time_t>(std::time(nullptr) - status.st_mtim.tv_sec, 0);
      locks.push_back({.path = path, .age = std::chrono::seconds(age)});
    }
  }
  if (!locks.empty()) {
    const std::optional<pid_t> holder = live_git_in(config.repo_dir);
    for (GitLock& lock : locks) {
      lock.holder = holder;
    }
  }
  return locks;
}

}  // namespace deployment
