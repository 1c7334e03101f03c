// Reads the output of git commands.
#pragma once

#include <map>
#include <vector>

#include "lib/model/commit_id.hpp"

namespace deployment {

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
};

// Each of these throws Error for text that git does not print.

// Returns the commit of `ref`; nullopt when it is not listed.
std::optional<CommitId> parse_ls_remote(std::string_view text,
                                        const std::string& ref);

// Returns heads with `tip` as the remote's commit.
Heads parse_for_each_ref(std::string_view text, const std::string& local_ref,
                         const CommitId& tip);
Divergence parse_divergence(std::string_view text);

// An entry of `git status --porcelain=v1 -z`: a changed file, an untracked
// one, or, with a slash at the end, a folder of untracked ones.
struct LocalChange {
  std::string path = {};
  bool missing = false;  // from the work tree only

  bool operator==(const LocalChange&) const = default;
};

std::vector<LocalChange> parse_status(std::string_view text);

// "MODE TYPE ID\tPATH" of `git ls-tree -z`.
struct TreeEntry {
  std::string mode = {};
  std::string id = {};
};
std::map<std::string, TreeEntry> parse_ls_tree(std::string_view text);

}  // namespace deployment
