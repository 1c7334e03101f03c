// Files, read by descriptors, and temporary folders.
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

// No configuration or record is longer, and it is far more than they need. What
// the checkout's user writes has a smaller bound where it is read, as what is
// made of it is some times as large: labels (lib/model/label.hpp), and HEAD and
// refs, which are a line (lib/checkout/git_reader.cpp).
constexpr std::size_t longest_file = 16 << 20;

// Returns true when others than root can write to the open file `path`. Throws
// Error when it cannot be looked at.
bool others_can_write(int fd, const std::filesystem::path& path);

// A line that is a name, an id or a path has at most PATH_MAX bytes.
constexpr std::size_t longest_line = 4 << 10;

// The content of a regular file, reached without following a link in the last
// place; nullopt when there is none. Throws Error when it cannot be read or is
// longer than `longest`.
std::optional<std::string> read_regular_file(
    const std::filesystem::path& path, std::size_t longest = longest_file);

// The content of what `fd` reads from; nullopt unless it is a regular file.
std::optional<std::string> read_if_regular(const Descriptor& fd,
                                           const std::string& name,
                                           std::size_t longest = longest_file);

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
