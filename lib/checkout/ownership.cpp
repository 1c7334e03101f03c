#include "lib/checkout/ownership.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

std::optional<User> checkout_user(const Config& config) {
  std::optional<User> user;
  if (config.run_as) {
    user = find_user(*config.run_as);
  }
  if (geteuid() != 0) {
    if (user && user->uid != geteuid()) {
      throw UsageError(fmt::format(
          "run-as = {} is not allowed; only root can run as another user",
          *config.run_as));
    }
    return std::nullopt;
  }
  if (!user) {
    struct stat status {};
    if (stat(config.repo_dir.c_str(), &status) != 0) {
      throw_errno(fmt::format("look at {}", config.repo_dir.string()));
    }
    user = find_user(status.st_uid);
  }
  return user->uid == 0 ? std::nullopt : user;
}

std::optional<fs::path> find_foreign_file(const fs::path& checkout,
                                          const fs::path& folder, uid_t uid) {
  std::error_code error;
  fs::recursive_directory_iterator entry(
      folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::end(entry); entry.increment(error)) {
    struct stat status {};
    if (entry->path() == own_folder(checkout)) {
      entry.disable_recursion_pending();
    } else if (lstat(entry->path().c_str(), &status) == 0 &&
               status.st_uid != uid) {
      return entry->path();
    }
  }
  return std::nullopt;
}

}  // namespace deployment
