#include "lib/checkout/ownership.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

std::optional<User> checkout_user(const Config& config) {
  if (geteuid() != 0) {
    if (!config.run_as.empty() && find_user(config.run_as).uid != geteuid()) {
      throw UsageError(fmt::format(
          "run-as = {} is not allowed; only root can run as another user",
          config.run_as));
    }
    return std::nullopt;
  }
  if (!config.run_as.empty()) {
    const User user = find_user(config.run_as);
    return user.uid == 0 ? std::nullopt : std::optional(user);
  }
  struct stat status {};
  if (stat(config.repo_dir.c_str(), &status) != 0) {
    throw_errno(fmt::format("look at {}", config.repo_dir.string()));
  }
  return status.st_uid == 0 ? std::nullopt
                            : std::optional(find_user(status.st_uid));
}

std::vector<fs::path> foreign_files(const fs::path& checkout,
                                    const fs::path& folder, uid_t uid,
                                    std::size_t most) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator entry(
      folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::end(entry) && found.size() < most;
       entry.increment(error)) {
    // Services leave files of their own in kept environments.
    if (entry->path() == own_folder(checkout)) {
      entry.disable_recursion_pending();
      continue;
    }
    struct stat status {};
    if (lstat(entry->path().c_str(), &status) == 0 && status.st_uid != uid) {
      found.push_back(entry->path());
    }
  }
  return found;
}

std::string repair_command(const Config& config, const User& user) {
  return fmt::format("chown -R {0}: {1}", user.name, config.repo_dir.string());
}

}  // namespace deployment
