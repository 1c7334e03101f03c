// Files and folders, reached by descriptors.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

// A folder whose files are reached through its descriptor, never by a path
// that somebody may exchange meanwhile.
class Directory {
 public:
  // Opens a folder; when there is none, there are no files in it, and none can
  // be written. Throws Error when it cannot be opened or is a symbolic link.
  explicit Directory(std::filesystem::path path);

  // Also throws Error for root when others than root may write to it.
  static Directory open_protected(const std::filesystem::path& path);

  // First makes it with mode 0755, and its parents, if absent.
  static Directory create_protected(const std::filesystem::path& path);

  // The content of a file; nullopt when there is none. Throws Error else.
  std::optional<std::string> read(const std::string& name) const;

  // Replaces a file by `content` so that after a crash or a power loss either
  // the old or the new content is there: write aside, fsync, rename, fsync of
  // the folder. Throws Error, and then the old file is as it was.
  void replace(const std::string& name, std::string_view content);

 private:
  std::filesystem::path path_;
  Descriptor fd_;
};

// Returns true when others than root can write to the open file `path`. Throws
// Error when it cannot be looked at.
bool others_can_write(int fd, const std::filesystem::path& path);

// No configuration, record, label or ref is longer, and somebody else may have
// written it.
constexpr std::size_t longest_file = 16 << 20;

// The content of a regular file, reached without following a link in the last
// place; nullopt when there is none. Throws Error when it cannot be read or is
// longer than `longest`.
std::optional<std::string> read_regular_file(
    const std::filesystem::path& path, std::size_t longest = longest_file);

// The whole content of what `fd` reads from, with the same bound.
std::string read_all(int fd, const std::string& name,
                     std::size_t longest = longest_file);

// A folder below $TMPDIR with a name that nobody can predict, removed with all
// that is in it at the end of its life. It belongs to `user`; nullopt: to that
// of this process.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::optional<User>& user);
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace deployment
