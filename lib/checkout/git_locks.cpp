#include "lib/checkout/git_locks.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "lib/base/user.hpp"
#include "lib/model/paths.hpp"
#include "lib/process/processes.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

bool is_inside(const fs::path& path, const fs::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

// Root looks with the rights of the process's own user, which needs no
// CAP_SYS_PTRACE, and sees all but the processes of root that have more
// capabilities than itself. It stays in the group root, or ProtectProc= would
// hide what it may not look at.
User user_of(const struct stat& process) {
  return {.uid = process.st_uid,
          .gid = process.st_gid,
          .groups = {0},
          .name = fmt::format("user {}", process.st_uid),
          .home = {},
          .shell = {}};
}

// A process called git or git-something, or one that git keeps waiting for an
// editor, counts by its name, its user and the folder it works in: a lock
// belongs to the user of the process that made it.
bool is_git_in(const fs::path& process, const fs::path& checkout, uid_t user) {
  struct stat status {};
  if (!first_line_of(process / "comm").starts_with("git") ||
      stat(process.c_str(), &status) != 0 || status.st_uid != user) {
    return false;
  }
  const ActingAs its_user(geteuid() == 0 ? std::optional(user_of(status))
                                         : std::nullopt);
  std::error_code error;
  const fs::path folder = fs::read_symlink(process / "cwd", error);
  return error ? error != std::errc::no_such_file_or_directory
               : is_inside(folder, checkout);
}

std::optional<pid_t> live_git_in(const Directory& checkout, uid_t user) {
  std::error_code error;
  const fs::path real = fs::read_symlink(checkout.proc_path(), error);
  for (const pid_t pid : process_ids()) {
    if (is_git_in(process_folder(pid), real, user)) {
      return pid;
    }
  }
  return std::nullopt;
}

// Adds the lock files below `path`; in a folder of objects none is in the way.
void add_locks_below(const fs::path& path, const Directory& checkout,
                     std::vector<fs::path>& places) {
  const Directory folder = checkout.folder(path);
  std::error_code error;
  fs::recursive_directory_iterator entry(folder.proc_path(), error);
  for (; !error && entry != fs::end(entry); entry.increment(error)) {
    if (entry->path().filename() == "objects") {
      entry.disable_recursion_pending();
    } else if (entry->path().extension() == ".lock" &&
               !entry->is_directory(error)) {
      places.push_back(folder.path() /
                       entry->path().lexically_relative(folder.proc_path()));
    }
  }
}

// Lists the places where a lock would be in the way.
std::vector<fs::path> lock_places(const Config& config,
                                  const Directory& checkout) {
  const fs::path git = checkout.path() / ".git";
  std::vector<fs::path> places;
  for (const std::string& name :
       {"index"s, "shallow"s, "HEAD"s, "ORIG_HEAD"s, "packed-refs"s, "config"s,
        "refs/heads/" + config.branch,
        fmt::format("refs/remotes/{}/{}", config.remote, config.branch)}) {
    places.push_back(git / (name + ".lock"));
  }
  add_locks_below(git / own_refs, checkout, places);
  add_locks_below(git / "modules", checkout, places);
  return places;
}

}  // namespace

std::vector<GitLock> find_git_locks(const Config& config,
                                    const Directory& checkout) {
  std::vector<GitLock> locks;
  for (const fs::path& path : lock_places(config, checkout)) {
    if (const auto status = checkout.look_at(path)) {
      const auto age =
          std::max<std::time_t>(std::time(nullptr) - status->st_mtim.tv_sec, 0);
      locks.push_back({.path = path,
                       .age = std::chrono::seconds(age),
                       .holder = live_git_in(checkout, status->st_uid)});
    }
  }
  return locks;
}

}  // namespace deployment
