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

namespace deployment {

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

std::optional<std::string> read_if_regular(const Descriptor& fd,
                                           const std::string& name,
                                           std::size_t longest) {
  struct stat status {};
  if (!fd.is_open() || ::fstat(fd.get(), &status) != 0 ||
      !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return read_all(fd.get(), name, longest);
}

std::optional<std::string> read_regular_file(const std::filesystem::path& path,
                                             std::size_t longest) {
  return read_if_regular(
      Descriptor(
          ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)),
      path.string(), longest);
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

TemporaryDirectory::TemporaryDirectory(std::optional<User> user)
    : TemporaryDirectory(std::move(user),
                         std::filesystem::temp_directory_path()) {}

TemporaryDirectory::TemporaryDirectory(std::optional<User> user,
                                       const std::filesystem::path& place)
    : user_(std::move(user)) {
  std::string name = (place / "deployment-update.XXXXXX").string();
  const ActingAs acting(user_);
  if (mkdtemp(name.data()) == nullptr) {
    throw_errno(fmt::format("create a temporary directory {}", name));
  }
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  const ActingAs acting(user_);  // who may have put a link on the way
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace deployment
