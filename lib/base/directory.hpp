// A folder, and the files in it, reached by its descriptor.
#pragma once

#include <linux/openat2.h>
#include <sys/stat.h>

#include <cstdint>
#include <vector>

#include "lib/base/file.hpp"

namespace deployment {

// Opens what is at `path` below the open folder `folder`, without leaving it
// (openat2(2): RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, and `resolve`) and, if
// not told otherwise, without following a symbolic link. A child of vfork(2)
// may call it. -1: errno says why.
int open_below(int folder, const char* path, int flags, mode_t mode = 0,
               std::uint64_t resolve = RESOLVE_NO_SYMLINKS);

// Somebody else may have filled a folder.
constexpr std::size_t most_names = 100'000;

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

  // Describes what is at `below`, be it a link; nullopt when there is nothing,
  // or only behind a link.
  // Throws Error when that cannot be told.
  std::optional<struct stat> look_at(const std::filesystem::path& below) const;
  bool has(const std::filesystem::path& below) const;

  // Returns true when a file or link is at `below`, a relative path, and no
  // folder. Follows links on the way that do not lead out: it only looks. Asks
  // by one system call.
  bool has_file(const std::string& below) const;

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

  // The names of all that is in it. Throws Error when these are too many.
  std::vector<std::string> names() const;

  // Replaces a file by `content` so that after a crash or a power loss either
  // the old or the new content is there: write aside, fsync, rename, fsync of
  // the folder. Throws Error, and then the old file is as it was. With
  // `changed` the file says that it was changed then, and not now.
  void replace(const std::string& name, std::string_view content,
               const std::optional<timespec>& changed = std::nullopt);

  // Removes what a replace() of the file that was killed has left aside.
  void remove_left_aside(const std::string& name);

  // Makes the folder `below` and those on the way to it that are not there.
  void make_folders(const std::filesystem::path& below);

  // Renames by renameat2(2) with `flags`. False: errno says why. Throws Error
  // when a folder on the way cannot be opened.
  bool rename(const std::filesystem::path& from,
              const std::filesystem::path& to, unsigned flags = 0);

  // Removes what is at `below`, with all that is in it; nothing may be there.
  // Throws Error when something stays, as another file system does.
  void remove(const std::filesystem::path& below);

 private:
  Directory(std::filesystem::path path, Descriptor fd);
  Descriptor open_parent(const std::filesystem::path& below) const;
  std::filesystem::path full(const std::filesystem::path& below) const;

  std::filesystem::path path_;
  Descriptor fd_;
};

}  // namespace deployment
