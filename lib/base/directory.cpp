#include "lib/base/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/base/watchdog.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

void write_all(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t count =
        TEMP_FAILURE_RETRY(::write(fd, bytes.data(), bytes.size()));
    if (count < 0) {
      throw_errno(fmt::format("write {}", name));
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

// Opens `path` below `top` folder by folder, as openat2(2) does at once: for
// kernels before 5.6, and where a filter or valgrind(1) does not know that
// call.
Descriptor open_in_steps(int top, const fs::path& path, int flags,
                         mode_t mode) {
  Descriptor folder;
  int at = top;
  const fs::path last = path.has_filename() ? path.filename() : ".";
  if (path.is_absolute() || std::ranges::count(path, "..") != 0) {
    errno = EXDEV;
    return {};
  }
  for (const fs::path& name : path.parent_path()) {
    folder = Descriptor(openat(at, name.c_str(),
                               O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.is_open()) {
      return folder;
    }
    at = folder.get();
  }
  return Descriptor(openat(at, last.c_str(), flags, mode));
}

// Removes what is called `name` in `parent`, with all that is in it, but
// nothing on another file system. Goes on behind what cannot be removed.
bool remove_tree(int parent, const char* name) {
  touch_watchdog();
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) {
    return true;
  }
  if (errno != EISDIR) {
    return false;
  }
  DIR* const folder =
      fdopendir(open_below(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
                           RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
  if (folder == nullptr) {
    return false;
  }
  while (const dirent* const entry = readdir(folder)) {
    const std::string_view below = entry->d_name;
    if (below != "." && below != "..") {
      remove_tree(dirfd(folder), entry->d_name);
    }
  }
  closedir(folder);
  return unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

// `name` with an end that nobody can predict.
std::string random_name(const std::string& name) {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
    throw_errno("make a random name");
  }
  return fmt::format("{}.{:016x}", name, number);
}

// Returns true for a random name that was made of `name`.
bool is_random_name(std::string_view random, const std::string& name) {
  return random.starts_with(name + '.') && random.size() == name.size() + 17 &&
         random.find_first_not_of("0123456789abcdef", name.size() + 1) ==
             std::string_view::npos;
}

}  // namespace

int open_below(int folder, const char* path, int flags, mode_t mode,
               std::uint64_t resolve) {
  const open_how how{
      .flags = static_cast<std::uint64_t>(flags),
      .mode = mode,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve};
  return static_cast<int>(
      syscall(SYS_openat2, folder, path, &how, sizeof(how)));
}

Directory::Directory(std::filesystem::path path)
    : path_(std::move(path)),
      fd_(::open(path_.c_str(),
                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) {
  if (!fd_.is_open() && errno != ENOENT) {
    throw_errno(fmt::format("open the directory {}", path_.string()));
  }
}

Directory::Directory(std::filesystem::path path, Descriptor fd)
    : path_(std::move(path)), fd_(std::move(fd)) {}

Directory Directory::open_protected(const std::filesystem::path& path) {
  Directory directory(path);
  if (directory.fd_.is_open() && geteuid() == 0 &&
      others_can_write(directory.fd_.get(), path)) {
    throw Error(
        fmt::format("the directory {} can be written by others than root",
                    path.string()),
        fmt::format("give it to root: chown root:root {0} && chmod 755 {0}",
                    quoted(path)));
  }
  return directory;
}

Directory Directory::create_protected(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const bool made = ::mkdir(path.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) {
    throw_errno(fmt::format("create the directory {}", path.string()));
  }
  Directory directory = open_protected(path);
  // Whatever the umask: users may look at the record.
  if (made && fchmod(directory.fd_.get(), 0755) != 0) {
    throw_errno(fmt::format("open {} to readers", path.string()));
  }
  return directory;
}

fs::path Directory::relative(const fs::path& below) const {
  return below.is_absolute() ? below.lexically_relative(path_)
                             : below.lexically_normal();
}

fs::path Directory::full(const fs::path& below) const {
  const fs::path path = relative(below);
  return path == "." ? path_ : path_ / path;
}

Descriptor Directory::open_parent(const fs::path& below) const {
  const fs::path parent = relative(below).parent_path() / ".";
  Descriptor fd = open(parent, O_PATH);
  if (!fd.is_open()) {
    throw_errno(fmt::format("open {}", full(parent).string()));
  }
  return fd;
}

fs::path Directory::proc_path() const {
  return fmt::format("/proc/self/fd/{}", fd_.get());
}

Descriptor Directory::open(const fs::path& below, int flags,
                           mode_t mode) const {
  flags |= O_CLOEXEC | O_NOFOLLOW | ((flags & O_PATH) != 0 ? 0 : O_NONBLOCK);
  const fs::path path = relative(below);
  Descriptor found(open_below(fd_.get(), path.c_str(), flags, mode));
  return found.is_open() || errno != ENOSYS
             ? std::move(found)
             : open_in_steps(fd_.get(), path, flags, mode);
}

Directory Directory::folder(const fs::path& below) const {
  Directory folder(full(below), open(below, O_RDONLY | O_DIRECTORY));
  if (!folder.is_open() && errno != ENOENT && errno != ENOTDIR && is_open()) {
    throw_errno(fmt::format("open the directory {}", folder.path_.string()));
  }
  return folder;
}

std::optional<struct stat> Directory::look_at(const fs::path& below) const {
  const Descriptor fd = open(below, O_PATH);
  struct stat status {};
  if (fd.is_open() && ::fstat(fd.get(), &status) == 0) {
    return status;
  }
  if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && is_open()) {
    throw_errno(fmt::format("look at {}", full(below).string()));
  }
  return std::nullopt;
}

bool Directory::has(const fs::path& below) const {
  return look_at(below).has_value();
}

bool Directory::has_file(const std::string& below) const {
  // A file cannot be opened as a folder, so there is nothing to close again.
  constexpr int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  constexpr std::uint64_t follow_links = 0;
  Descriptor found(
      open_below(fd_.get(), below.c_str(), flags, 0, follow_links));
  if (!found.is_open() && errno == ENOSYS) {
    found = open_in_steps(fd_.get(), below, flags, 0);
  }
  return !found.is_open() && errno == ENOTDIR;
}

std::optional<std::string> Directory::read_link(const fs::path& below) const {
  std::array<char, PATH_MAX> target;  // NOLINT: readlinkat(2) fills it
  const Descriptor fd = open(below, O_PATH);
  const ssize_t length = readlinkat(fd.get(), "", target.data(), target.size());
  return length < 0 ? std::nullopt
                    : std::optional(std::string(
                          target.data(), static_cast<std::size_t>(length)));
}

std::optional<std::string> Directory::read(const std::string& name) const {
  const Descriptor fd = open(name, O_RDONLY);
  if (fd.is_open()) {
    return read_all(fd.get(), (path_ / name).string());
  }
  if (is_open() && errno != ENOENT) {
    throw_errno(fmt::format("open {}", (path_ / name).string()));
  }
  return std::nullopt;
}

std::optional<std::string> Directory::read_regular_file(
    const fs::path& below, std::size_t longest) const {
  return read_if_regular(open(below, O_RDONLY), full(below).string(), longest);
}

std::vector<std::string> Directory::names() const {
  std::vector<std::string> names;
  if (!is_open()) {
    return names;
  }
  std::error_code error;
  fs::directory_iterator entry(proc_path(), error);
  for (; !error && entry != fs::end(entry); entry.increment(error)) {
    names.push_back(entry->path().filename());
    if (names.size() > most_names) {
      throw Error(fmt::format("more than {} files are in {}", most_names,
                              path_.string()));
    }
  }
  if (error) {
    throw Error(
        fmt::format("cannot list {}: {}", path_.string(), error.message()));
  }
  return names;
}

void Directory::remove_left_aside(const std::string& name) {
  for (const std::string& other : names()) {
    if (is_random_name(other, name)) {
      unlinkat(fd_.get(), other.c_str(), 0);
    }
  }
}

void Directory::replace(const std::string& name, std::string_view content,
                        const std::optional<timespec>& changed) {
  remove_left_aside(name);
  // Somebody else may have put anything in the place of a name that he knows.
  const std::string aside = random_name(name);
  const std::string full = (path_ / aside).string();
  const Descriptor fd = open(aside, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (!fd.is_open()) {
    throw_errno(fmt::format("create {}", full));
  }
  try {
    write_all(fd.get(), content, full);
    const timespec as_it_is{.tv_sec = 0, .tv_nsec = UTIME_OMIT};
    const std::array<timespec, 2> times = {as_it_is,
                                           changed.value_or(as_it_is)};
    if ((changed && futimens(fd.get(), times.data()) != 0) ||
        fchmod(fd.get(), 0644) != 0 || fsync(fd.get()) != 0 ||
        renameat(fd_.get(), aside.c_str(), fd_.get(), name.c_str()) != 0 ||
        fsync(fd_.get()) != 0) {
      throw_errno(fmt::format("replace {}", (path_ / name).string()));
    }
  } catch (const Error&) {
    unlinkat(fd_.get(), aside.c_str(), 0);
    throw;
  }
}

void Directory::make_folders(const fs::path& below) {
  fs::path made;
  for (const fs::path& name : relative(below)) {
    const Descriptor parent = open(made.empty() ? "." : made, O_PATH);
    made /= name;
    if (!parent.is_open() ||
        (mkdirat(parent.get(), name.c_str(), 0755) != 0 && errno != EEXIST)) {
      throw_errno(fmt::format("create {}", (path_ / made).string()));
    }
  }
}

bool Directory::rename(const fs::path& from, const fs::path& to,
                       unsigned flags) {
  const Descriptor old_parent = open_parent(from);
  const Descriptor new_parent = open_parent(to);
  return renameat2(old_parent.get(), from.filename().c_str(), new_parent.get(),
                   to.filename().c_str(), flags) == 0;
}

void Directory::remove(const fs::path& below) {
  const fs::path path = relative(below);
  const Descriptor parent = open(path.parent_path() / ".", O_PATH);
  if (!parent.is_open()) {
    if (errno == ENOENT || !is_open()) {
      return;
    }
    throw_errno(fmt::format("open {}", (path_ / path.parent_path()).string()));
  }
  if (!remove_tree(parent.get(), path.filename().c_str())) {
    throw_errno(fmt::format("remove {}", full(below).string()));
  }
}

}  // namespace deployment
