#include "lib/checkout/ownership.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

std::optional<User> checkout_user(const Config& config) {
  const std::optional<User> user =
      config.run_as ? std::optional(find_user(*config.run_as)) : std::nullopt;
  if (geteuid() != 0) {
    if (user && user->uid != geteuid()) {
      throw UsageError(fmt::format(
          "run-as = {} is not allowed; only root can run as another user",
          user->name));
    }
    return std::nullopt;
  }
  if (user) {
    return user->uid == 0 ? std::nullopt : user;
  }
  struct stat status {};
  if (stat(config.repo_dir.c_str(), &status) != 0) {
    throw_errno(fmt::format("look at {}", config.repo_dir.string()));
  }
  // No look at the user database in the run of root that finds nothing to do.
  return status.st_uid == 0 ? std::nullopt
                            : std::optional(find_user(status.st_uid));
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
