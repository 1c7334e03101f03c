#include "lib/checkout/run_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <sstream>

#include "lib/base/error.hpp"
#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/time.hpp"
#include "lib/model/paths.hpp"
#include "lib/process/processes.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

using std::chrono::steady_clock;

// A lock changes so often during a run's tries only when somebody makes it.
constexpr int most_changes = 10;

// A file that only its user can open: who can read it can lock it, too.
class LockFile {
 public:
  // `user` (nullopt: that of this process) owns all that is in `tree`.
  LockFile(Directory folder, fs::path below, std::optional<User> user,
           fs::path tree)
      : folder_(std::move(folder)),
        below_(std::move(below)),
        user_(std::move(user)),
        tree_(std::move(tree)) {}

  std::string path() const { return (folder_.path() / below_).string(); }

  // Opens it, and makes it when it is not there. Throws Error when that cannot
  // be done, or when something else is in its place.
  Descriptor open() {
    try {
      const ActingAs acting(user_);
      return open_as_user();
    } catch (const Error& error) {
      throw Error(error.what(), how_to_repair());
    }
  }

  // Returns true when `fd` is what is in its place now: a person may have
  // removed it since open().
  bool is_open_at(const Descriptor& fd) const {
    struct stat opened {};
    ::fstat(fd.get(), &opened);
    const auto in_place = folder_.look_at(below_);
    return in_place && in_place->st_dev == opened.st_dev &&
           in_place->st_ino == opened.st_ino;
  }

 private:
  Descriptor open_as_user() {
    Descriptor fd = folder_.open(below_, O_RDWR | O_CREAT, 0600);
    if (!fd.is_open() && errno == ENOENT) {
      folder_.make_folders(below_.parent_path());
      fd = folder_.open(below_, O_RDWR | O_CREAT, 0600);
    }
    struct stat status {};
    if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) {
      throw_errno("open the lock " + path());
    }
    if (!is_right(status)) {
      throw Error(fmt::format("the lock {} is not a regular file of user {}",
                              path(), user_name()));
    }
    if ((status.st_mode & 0077) == 0) {
      return fd;
    }
    // Somebody else may have it open already, and hold it for ever.
    folder_.remove(below_);
    fd = folder_.open(below_, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!fd.is_open()) {
      throw_errno("open the lock " + path());
    }
    return fd;
  }

  bool is_right(const struct stat& status) const {
    return S_ISREG(status.st_mode) &&
           status.st_uid == (user_ ? user_->uid : geteuid());
  }

  std::string how_to_repair() const {
    const fs::path parent = below_.parent_path();
    const auto folder = folder_.look_at(parent);
    if (folder && !S_ISDIR(folder->st_mode)) {
      return how_to_remove((folder_.path() / parent).string());
    }
    const auto status = folder_.look_at(below_);
    if (status && !is_right(*status)) {
      return how_to_remove(path());
    }
    return fmt::format(
        "user {0} must be able to write there; if files of others are in the "
        "way, as root: chown -R {0} {1}",
        user_name(), quoted(tree_));
  }

  std::string how_to_remove(const std::string& obstacle) const {
    return "remove it: " +
           command_as(user_ ? std::optional(user_->name) : std::nullopt,
                      "rm -rf " + quoted(obstacle));
  }

  std::string user_name() const {
    return user_ ? user_->name : std::to_string(geteuid());
  }

  Directory folder_;
  fs::path below_;
  std::optional<User> user_;
  fs::path tree_;
};

LockFile lock_of_root(const Directory& checkout) {
  struct stat status {};
  if (::fstat(checkout.fd(), &status) != 0) {
    throw_errno(fmt::format("look at {}", checkout.path().string()));
  }
  Directory folder = Directory::open_protected(lock_folder);
  if (!folder.is_open()) {
    folder = Directory::create_protected(lock_folder);
  }
  return {std::move(folder),
          fmt::format("{}:{}-{}.lock", major(status.st_dev),
                      minor(status.st_dev), status.st_ino),
          std::nullopt, lock_folder};
}

// Opens the folder of git's files: .git, or the one that this file names, as in
// a linked work tree (gitrepository-layout(5)).
Directory git_folder(const Directory& checkout) {
  constexpr std::string_view key = "gitdir: ";
  const auto file = checkout.read_regular_file(".git", longest_line);
  if (!file || !file->starts_with(key)) {
    return checkout.folder(".git");
  }
  Directory folder(checkout.path() /
                   trimmed(std::string_view(*file).substr(key.size())));
  if (!folder.is_open()) {
    throw_errno(fmt::format("open {}, which {} names", folder.path().string(),
                            (checkout.path() / ".git").string()));
  }
  return folder;
}

LockFile lock_of_user(const Directory& checkout,
                      const std::optional<User>& user) {
  const ActingAs acting(user);
  return {git_folder(checkout),
          own_folder(checkout.path()).filename() / lock_name, user,
          checkout.path()};
}

// When process `pid` started: field 22 of proc(5)'s stat, in clock ticks
// since boot. The command's name, which may hold blanks, ends at the last ')'.
Time start_time(pid_t pid) {
  const std::string line = first_line_of(process_folder(pid) / "stat");
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) {
    fields >> skipped;
  }
  long long ticks = 0;
  fields >> ticks;
  timespec up{};
  clock_gettime(CLOCK_BOOTTIME, &up);
  return now() - std::chrono::seconds(up.tv_sec - ticks / sysconf(_SC_CLK_TCK));
}

// `pid` is 0 for a process of another PID namespace.
std::string describe_holder(pid_t pid) {
  if (pid <= 0) {
    return "a process that cannot be seen from here";
  }
  const std::string name = first_line_of(process_folder(pid) / "comm");
  if (name.empty()) {  // proc(5), hidepid
    return fmt::format("process {}", pid);
  }
  return fmt::format("{} (process {}) since {}", escaped(name), pid,
                     to_string(start_time(pid)));
}

// Returns how the whole of a file is locked, whatever its length.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

// Returns false when another process has the lock.
bool try_to_lock(const Descriptor& fd, const LockFile& file) {
  struct flock lock = whole_file();
  if (::fcntl(fd.get(), F_SETLK, &lock) == 0) {
    return true;
  }
  if (errno != EACCES && errno != EAGAIN) {
    throw_errno("lock " + file.path());
  }
  return false;
}

// Returns the process that has the lock; nullopt: none.
std::optional<pid_t> holder_of(const Descriptor& fd) {
  struct flock lock = whole_file();
  const bool is_held =
      ::fcntl(fd.get(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  return is_held ? std::optional(lock.l_pid) : std::nullopt;
}

// Opens the file anew for each try, since it may be another one by then. While
// it is locked nothing here may open it again: closing that would release the
// lock, unless it was opened by O_PATH.
Descriptor hold(LockFile file, const Directory& checkout,
                steady_clock::time_point deadline) {
  for (int changes = 0; changes < most_changes;) {
    Descriptor fd = file.open();
    const bool is_locked = try_to_lock(fd, file);
    if (is_locked && file.is_open_at(fd)) {
      return fd;
    }
    const auto holder = is_locked ? std::nullopt : holder_of(fd);
    if (!holder) {  // the file was exchanged, or the lock released
      ++changes;
      continue;
    }
    if (steady_clock::now() >= deadline) {
      throw Error(
          fmt::format("another run is active in {}: {} holds the lock",
                      checkout.path().string(), describe_holder(*holder)),
          "try again later, or wait for it with --wait SECONDS", exit_locked);
    }
    wait_for(std::chrono::milliseconds(50));
  }
  throw Error(fmt::format("the lock {} changed {} times while it was opened",
                          file.path(), most_changes));
}

}  // namespace

Lock::Lock(const Directory& checkout, const std::optional<User>& user,
           std::chrono::seconds patience) {
  const auto deadline = steady_clock::now() + patience;
  const bool is_root = geteuid() == 0;
  if (is_root) {
    of_root_ = hold(lock_of_root(checkout), checkout, deadline);
  }
  if (user || !is_root) {
    of_user_ = hold(lock_of_user(checkout, user), checkout, deadline);
  }
}

}  // namespace deployment
