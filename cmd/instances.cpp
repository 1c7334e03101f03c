#include "cmd/instances.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "lib/base/text.hpp"
#include "lib/model/config.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

bool is_link(const std::string& file) {
  struct stat status {};
  return lstat(file.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

// `file` is an absolute path, which may lead through links.
bool is_in_instance_folder(const std::string& file) {
  struct stat folder {};
  struct stat of_instances {};
  return stat(file.substr(0, file.rfind('/') + 1).c_str(), &folder) == 0 &&
         stat(instance_folder, &of_instances) == 0 &&
         folder.st_dev == of_instances.st_dev &&
         folder.st_ino == of_instances.st_ino;
}

}  // namespace

UsageError no_instance_name(const std::string& option,
                            const std::string& value) {
  return UsageError(fmt::format(
      "command line: {} '{}' is not allowed; an instance is configured in "
      "NAME.conf, where NAME has at most 200 letters, digits, -, _ and ., "
      "begins with a letter or digit, and is neither {} nor begins with {}.",
      option, escaped(value), record_name, record_name));
}

std::optional<std::string> instance_of(const std::string& file) {
  // Each run with --config looks here, and few are of an instance.
  std::error_code error;
  const bool may_be_one = !file.starts_with('/') ||
                          contains_any(file, {"/deployment-update/"}) ||
                          is_link(file) || is_in_instance_folder(file);
  if (!may_be_one) {
    return std::nullopt;
  }
  fs::path path =
      fs::is_symlink(file, error) ? fs::canonical(file, error) : fs::path(file);
  path = fs::absolute(path).lexically_normal();
  if (path.parent_path() != instance_folder &&
      !fs::equivalent(path.parent_path(), instance_folder, error)) {
    return std::nullopt;
  }
  const std::string name = path.stem();
  if (path.extension() != ".conf" || !is_instance_name(name)) {
    throw no_instance_name("--config", file);
  }
  return name;
}

}  // namespace deployment
