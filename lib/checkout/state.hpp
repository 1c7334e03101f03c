// The state of a checkout, as values.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>

#include "lib/model/commit_id.hpp"

namespace deployment {

// Paths of files in the checkout, relative to its top.
using Paths = std::vector<std::string>;

// The commits that the branch is at, here and at the remote.
struct Heads {
  CommitId tip;                           // of the remote
  std::optional<CommitId> local = {};     // of the local branch
  std::optional<CommitId> tracking = {};  // of refs/remotes/REMOTE/BRANCH
  bool on_branch = false;                 // the branch is checked out

  bool operator==(const Heads&) const = default;
};

// The numbers of commits that each of two commits has and the other does not.
struct Divergence {
  int ours = 0;
  int theirs = 0;
  int taken_away = 0;  // of ours: the remote had them, and was moved back
};

// A lock file of git.
struct GitLock {
  std::filesystem::path path;  // absolute
  std::chrono::seconds age{};
  std::optional<pid_t> holder = {};  // a git that runs in this checkout

  bool operator==(const GitLock&) const = default;
};

}  // namespace deployment
