// Files and folders, reached by descriptors.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/user.hpp"

namespace deployment {

// A file descriptor with one owner, closed at the end of its life.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    fd_ = other.release();
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void reset();

 private:
  int release() { return std::exchange(fd_, -1); }

  int fd_ = -1;
};

// No configuration or record is longer, and it is far more than they need. What
// the checkout's user writes has a smaller bound where it is read, as what is
// made of it is some times as large: labels (lib/model/label.hpp), and HEAD and
// refs, which are a line (lib/checkout/git_reader.cpp).
constexpr std::size_t longest_file = 16 << 20;

// A folder whose files are reached through its descriptor, never by a path
// that somebody may exchange meanwhile. What is called `below` is a path of a
// file in it, relative or beginning with path(): no symbolic link is followed
// on the way, and none leads out (openat2(2): RESOLVE_BENEATH,
// RESOLVE_NO_SYMLINKS).
class Directory {
 public:
  // Opens a folder; when there is none, there are no files in it, and none can
  // be written. Throws Error when it cannot be opened or is a symbolic link.
  explicit Directory(std::filesystem::path path);

  // Also throws Error for root when others than root may write to it.
  static Directory open_protected(const std::filesystem::path& path);

  // First makes it with mode 0755, and its parents, if absent.
  static Directory create_protected(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  int fd() const { return fd_.get(); }
  bool is_open() const { return fd_.is_open(); }

  // The path of `below` from this folder: "." for the folder itself.
  std::filesystem::path relative(const std::filesystem::path& below) const;

  // The folder's path in /proc, which leads to it and nowhere else (proc(5)).
  std::filesystem::path proc_path() const;

  // Opens what is at `below`, O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW and `flags`.
  // Not open: errno says why.
  Descriptor open(const std::filesystem::path& below, int flags,
                  mode_t mode = 0) const;

  // Opens a folder of this one; nothing is in one that is not there.
  Directory folder(const std::filesystem::path& below) const;

  // Describes what is at `below`, be it a link; nullopt when there is nothing.
  // Throws Error when that cannot be told.
  std::optional<struct stat> look_at(const std::filesystem::path& below) const;
  bool has(const std::filesystem::path& below) const;

  // The target of the symbolic link at `below`; nullopt: there is none.
  std::optional<std::string> read_link(
      const std::filesystem::path& below) const;

  // The content of a file of ours; nullopt when there is none. Throws Error
  // when it cannot be read.
  std::optional<std::string> read(const std::string& name) const;

  // The content of somebody else's file at `below`; nullopt when no regular
  // file can be opened there. Throws Error for more than `longest` bytes.
  std::optional<std::string> read_regular_file(
      const std::filesystem::path& below,
      std::size_t longest = longest_file) const;

  // The names of all that is in it.
  std::vector<std::string> names() const;

  // Replaces a file by `content` so that after a crash or a power loss either
  // the old or the new content is there: write aside, fsync, rename, fsync of
  // the folder. Throws Error, and then the old file is as it was.
  void replace(const std::string& name, std::string_view content);

  // Makes the folder `below` and those on the way to it that are not there.
  void make_folders(const std::filesystem::path& below);

  // Renames by renameat2(2) with `flags`. False: errno says why.
  bool rename(const std::filesystem::path& from,
              const std::filesystem::path& to, unsigned flags = 0);

  // Removes what is at `below`, with all that is in it; nothing may be there.
  // Throws Error.
  void remove(const std::filesystem::path& below);

 private:
  Directory(std::filesystem::path path, Descriptor fd);
  std::filesystem::path full(const std::filesystem::path& below) const;

  std::filesystem::path path_;
  Descriptor fd_;
};

// Returns true when others than root can write to the open file `path`. Throws
// Error when it cannot be looked at.
bool others_can_write(int fd, const std::filesystem::path& path);

// The content of a regular file, reached without following a link in the last
// place; nullopt when there is none. Throws Error when it cannot be read or is
// longer than `longest`.
std::optional<std::string> read_regular_file(
    const std::filesystem::path& path, std::size_t longest = longest_file);

// The whole content of what `fd` reads from, with the same bound.
std::string read_all(int fd, const std::string& name,
                     std::size_t longest = longest_file);

// A folder below `place` with a name that nobody can predict, removed with all
// that is in it at the end of its life. It is made and removed by `user`;
// nullopt: by that of this process.
class TemporaryDirectory {
 public:
  TemporaryDirectory(std::optional<User> user,
                     const std::filesystem::path& place);
  // Below $TMPDIR.
  explicit TemporaryDirectory(std::optional<User> user);
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::optional<User> user_;
  std::filesystem::path path_;
};

}  // namespace deployment
