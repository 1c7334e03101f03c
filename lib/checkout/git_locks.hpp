// Finds the lock files that a killed git leaves behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace deployment {

struct GitLock {
  std::filesystem::path path;  // absolute
  std::chrono::seconds age{};
  std::optional<pid_t> holder = {};  // a git that runs in this checkout

  bool operator==(const GitLock&) const = default;
};

// Returns the locks of `checkout` that would stop a fetch, a checkout, a
// fast-forward or a reset of `branch` from `remote`. A git process whose
// working directory cannot be seen counts as one that works in this checkout.
std::vector<GitLock> find_git_locks(const std::filesystem::path& checkout,
                                    const std::string& remote,
                                    const std::string& branch);

}  // namespace deployment
