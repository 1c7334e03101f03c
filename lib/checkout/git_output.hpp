// git's answers, read.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deployment {

// Where the branch stands, here and at the remote.
struct Heads {
  std::string tip = {};       // the remote's commit
  std::string local = {};     // the local branch's; empty: there is none
  std::string tracking = {};  // refs/remotes/REMOTE/BRANCH's; empty: none
  bool on_branch = false;

  bool operator==(const Heads&) const = default;
};

// How two commits relate: how many each has that the other does not contain.
struct Divergence {
  int ours = 0;
  int theirs = 0;
};

// Parsers of git's answers. Each throws Error for text that is none.
std::string parse_ls_remote(std::string_view text, const std::string& ref);
Heads parse_for_each_ref(std::string_view text, const std::string& local_ref);
Divergence parse_divergence(std::string_view text);

// An entry of `git status --porcelain=v1 -z`: a changed file, an untracked
// one, or, with a slash at the end, a folder of untracked ones.
struct LocalChange {
  std::string path;
  bool missing = false;  // from the work tree only

  bool operator==(const LocalChange&) const = default;
};

std::vector<LocalChange> parse_status(std::string_view text);

// "MODE TYPE ID\tPATH" of `git ls-tree -z`.
struct TreeEntry {
  std::string mode;
  std::string id;
};
std::map<std::string, TreeEntry> parse_ls_tree(std::string_view text);

}  // namespace deployment
