#include "lib/checkout/ownership.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <list>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

constexpr int longest_path = 200;  // names, those of symbolic links too

struct stat status_of(const fs::path& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    throw_errno(fmt::format("look at {}", path.string()));
  }
  return status;
}

struct stat status_of(const Directory& directory) {
  struct stat status {};
  if (fstat(directory.fd(), &status) != 0) {
    throw_errno(fmt::format("look at {}", directory.path().string()));
  }
  return status;
}

// A file or folder on the way to the checkout, or in it.
struct Place {
  fs::path path;
  struct stat status = {};
};

// The users who may decide which folder the checkout is and what is in it: root
// and its owner. A group that may write counts when it is that of the owner's
// checkout, or root's.
class Trusted {
 public:
  explicit Trusted(const struct stat& checkout)
      : uid_(checkout.st_uid), gid_(uid_ == 0 ? 0 : checkout.st_gid) {}

  bool own(const Place& place) const {
    return place.status.st_uid == 0 || place.status.st_uid == uid_;
  }
  bool alone_write(const Place& place) const {
    const struct stat& status = place.status;
    const bool group_writes = (status.st_mode & S_IWGRP) != 0 &&
                              status.st_gid != 0 && status.st_gid != gid_;
    return own(place) && !group_writes && (status.st_mode & S_IWOTH) == 0;
  }
  // In a sticky folder only its owner and that of an entry exchange the entry.
  bool alone_exchange(const Place& entry, const Place& folder) const {
    const bool is_sticky = (folder.status.st_mode & S_ISVTX) != 0;
    return alone_write(folder) || (own(folder) && is_sticky && own(entry));
  }
  bool are_root_alone() const { return uid_ == 0; }

 private:
  uid_t uid_;
  gid_t gid_;
};

// Follows the path of the checkout as the kernel does, by every symbolic link.
// Returns the place on the way that lets others lead it elsewhere; nullopt:
// nobody else can.
std::optional<Place> find_unsafe_place(const Place& checkout,
                                       const Trusted& trusted) {
  std::list<fs::path> left(checkout.path.begin(), checkout.path.end());
  Place at{.path = "/", .status = status_of("/")};
  for (int count = 0; !left.empty() && count < longest_path; ++count) {
    const fs::path name = left.front();
    left.pop_front();
    Place next{.path = name == ".." ? at.path.parent_path() : at.path / name};
    next.status = status_of(next.path);
    if (name.is_relative() && name != ".." &&
        !trusted.alone_exchange(next, at)) {
      return trusted.own(at) && (at.status.st_mode & S_ISVTX) != 0 ? next : at;
    }
    if (S_ISLNK(next.status.st_mode)) {
      std::error_code error;
      const fs::path target = fs::read_symlink(next.path, error);
      if (error) {
        throw Error(fmt::format("cannot read the link {}: {}",
                                next.path.string(), error.message()));
      }
      left.insert(left.begin(), target.begin(), target.end());
    } else {
      at = next;
    }
  }
  const bool arrived = left.empty() &&
                       at.status.st_dev == checkout.status.st_dev &&
                       at.status.st_ino == checkout.status.st_ino;
  return arrived ? std::nullopt : std::optional(at);
}

std::string how_to_repair(const Place& unsafe, const Place& checkout,
                          const Trusted& trusted) {
  const std::string place = quoted(unsafe.path);
  if (trusted.own(unsafe)) {
    return "chmod go-w " + place;
  }
  return trusted.are_root_alone() && S_ISDIR(unsafe.status.st_mode) &&
                 unsafe.path.filename() != ".git"
             ? fmt::format("chown -R --reference={} {}", place,
                           quoted(checkout.path))
             : fmt::format("chown -hR --reference={} {}", quoted(checkout.path),
                           place);
}

// Programs run with the rights of the checkout's owner only where nobody else
// decides which folder that is, and what git finds in it.
void require_safety(const Directory& directory, const struct stat& status) {
  const Place checkout{.path = directory.path(), .status = status};
  const Trusted trusted(status);
  const Place git{.path = checkout.path / ".git",
                  .status = directory.look_at(".git").value_or(status)};
  std::optional<Place> unsafe = find_unsafe_place(checkout, trusted);
  for (const Place& place : {checkout, git}) {
    if (!unsafe && !trusted.alone_write(place)) {
      unsafe = place;
    }
  }
  if (unsafe) {
    throw Error(
        fmt::format("the checkout {} is not safe: others than {} can change {}",
                    checkout.path.string(),
                    trusted.are_root_alone() ? "root" : "its owner",
                    unsafe->path.string()),
        how_to_repair(*unsafe, checkout, trusted));
  }
}

// Nobody gets rights that he does not have in the checkout already: who can
// write to it decides what its git, npm and pip do.
void require_no_more_rights(const User& user, const struct stat& checkout) {
  if (checkout.st_uid != 0 && user.uid != checkout.st_uid) {
    throw UsageError(
        fmt::format("run-as = {0} is not allowed; the checkout belongs to "
                    "another user, who would get the rights of {0}",
                    user.name));
  }
}

}  // namespace

std::shared_ptr<Directory> open_checkout(const fs::path& path) {
  std::shared_ptr<Directory> checkout;
  try {
    checkout = std::make_shared<Directory>(path);
  } catch (const Error&) {
    if (!fs::is_symlink(fs::symlink_status(path))) {
      throw;
    }
    throw Error(
        fmt::format("the checkout {} is a symbolic link", path.string()),
        "name the folder that it leads to with --repo-dir");
  }
  if (!checkout->is_open()) {
    throw Error(
        fmt::format("the checkout {} is not there", path.string()),
        "clone the repository there, or name another folder with --repo-dir");
  }
  const auto git = checkout->look_at(".git");
  if (!git || S_ISLNK(git->st_mode)) {
    throw Error(
        fmt::format("{} is not a git checkout: {}", path.string(),
                    git ? ".git is a symbolic link" : "there is no .git in it"),
        "clone the repository there, or name its top folder with "
        "--repo-dir");
  }
  return checkout;
}

std::optional<User> checkout_user(const Config& config,
                                  const Directory& checkout) {
  const std::optional<User> user =
      config.run_as ? std::optional(find_user(*config.run_as)) : std::nullopt;
  if (geteuid() != 0 && user && user->uid != geteuid()) {
    throw UsageError(fmt::format(
        "run-as = {} is not allowed; only root can run as another user",
        user->name));
  }
  const struct stat status = status_of(checkout);
  if (user && geteuid() == 0) {
    require_no_more_rights(*user, status);
  }
  const uid_t uid = user             ? user->uid
                    : geteuid() == 0 ? status.st_uid
                                     : geteuid();
  if (uid == status.st_uid) {
    require_safety(checkout, status);
  }
  if (uid == geteuid()) {
    return std::nullopt;
  }
  // No look at the user database in the run of root that finds nothing to do.
  return user ? user : std::optional(find_user(uid));
}

std::optional<fs::path> find_foreign_file(const Directory& checkout,
                                          const fs::path& folder, uid_t uid) {
  const Directory top = checkout.folder(folder);
  std::error_code error;
  fs::recursive_directory_iterator entry(
      top.proc_path(), fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::end(entry); entry.increment(error)) {
    touch_watchdog();
    const fs::path path =
        top.path() / entry->path().lexically_relative(top.proc_path());
    const auto status = checkout.look_at(path);
    if (path == own_folder(checkout.path())) {
      entry.disable_recursion_pending();
    } else if (status && status->st_uid != uid) {
      return path;
    }
  }
  return std::nullopt;
}

}  // namespace deployment
