#include "lib/base/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"

namespace deployment {
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

}  // namespace

void Descriptor::reset() {
  if (fd_ >= 0) {
    ::close(release());
  }
}

bool others_can_write(int fd, const std::filesystem::path& path) {
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    throw_errno(fmt::format("look at {}", path.string()));
  }
  return status.st_uid != 0 || (status.st_mode & 022U) != 0;
}

std::optional<std::string> read_regular_file(const std::filesystem::path& path,
                                             std::size_t longest) {
  const Descriptor fd(
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd.is_open() || ::fstat(fd.get(), &status) != 0 ||
      !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return read_all(fd.get(), path.string(), longest);
}

std::string read_all(int fd, const std::string& name, std::size_t longest) {
  std::string content;
  std::array<char, 4096> buffer;  // NOLINT: read(2) fills it
  for (;;) {
    const ssize_t count =
        TEMP_FAILURE_RETRY(::read(fd, buffer.data(), buffer.size()));
    if (count < 0) {
      throw_errno(fmt::format("read {}", name));
    }
    if (count == 0) {
      return content;
    }
    content.append(buffer.data(), static_cast<std::size_t>(count));
    if (content.size() > longest) {
      throw Error(fmt::format("{} is longer than {} bytes", name, longest));
    }
  }
}

Directory::Directory(std::filesystem::path path)
    : path_(std::move(path)),
      fd_(::open(path_.c_str(),
                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) {
  if (!fd_.is_open() && errno != ENOENT) {
    throw_errno(fmt::format("open the directory {}", path_.string()));
  }
}

Directory Directory::open_protected(const std::filesystem::path& path) {
  Directory directory(path);
  if (directory.fd_.is_open() && geteuid() == 0 &&
      others_can_write(directory.fd_.get(), path)) {
    throw Error(
        fmt::format("the directory {} can be written by others than root",
                    path.string()),
        fmt::format("chown root: {0} && chmod 755 {0}", quoted(path)));
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
  if (made) {  // whatever the umask: users may look at the record
    fchmod(directory.fd_.get(), 0755);
  }
  return directory;
}

std::optional<std::string> Directory::read(const std::string& name) const {
  const std::string full = (path_ / name).string();
  const Descriptor fd(openat(fd_.get(), name.c_str(),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd.is_open()) {
    return read_all(fd.get(), full);
  }
  if (fd_.is_open() && errno != ENOENT) {
    throw_errno(fmt::format("open {}", full));
  }
  return std::nullopt;
}

void Directory::replace(const std::string& name, std::string_view content) {
  const std::string aside = name + ".new";
  const std::string full = (path_ / aside).string();
  // Somebody else may have put anything there, a fifo that blocks for one.
  unlinkat(fd_.get(), aside.c_str(), 0);
  const Descriptor fd(openat(fd_.get(), aside.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.is_open()) {
    throw_errno(fmt::format("create {}", full));
  }
  try {
    write_all(fd.get(), content, full);
    if (fchmod(fd.get(), 0644) != 0 || fsync(fd.get()) != 0 ||
        renameat(fd_.get(), aside.c_str(), fd_.get(), name.c_str()) != 0 ||
        fsync(fd_.get()) != 0) {
      throw_errno(fmt::format("replace {}", (path_ / name).string()));
    }
  } catch (const Error&) {
    unlinkat(fd_.get(), aside.c_str(), 0);
    throw;
  }
}

TemporaryDirectory::TemporaryDirectory(const std::optional<User>& user) {
  std::string name =
      (std::filesystem::temp_directory_path() / "deployment-update.XXXXXX")
          .string();
  if (mkdtemp(name.data()) == nullptr) {
    throw_errno(fmt::format("create a temporary directory {}", name));
  }
  path_ = name;
  const Descriptor fd(
      ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (user && ::fchown(fd.get(), user->uid, user->gid) != 0) {
    throw_errno(fmt::format("give {} to its user", name));
  }
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace deployment
