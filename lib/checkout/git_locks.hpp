// The lock files that a killed git leaves behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace deployment {

struct GitLock {
  std::filesystem::path path;  // absolute
  std::chrono::seconds age{};
  pid_t holder = 0;  // a live git that works in this checkout; 0: none

  bool operator==(const GitLock&) const = default;
};

// The locks of `checkout` that would stop a fetch, a checkout, a fast-forward
// or a reset of `branch` from `remote`. A git process whose working
// directory cannot be seen counts as one that works in this checkout.
std::vector<GitLock> find_git_locks(const std::filesystem::path& checkout,
                                    const std::string& remote,
                                    const std::string& branch);

}  // namespace deployment
