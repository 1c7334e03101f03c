// Reads the output of git commands.
#pragma once

#include <map>

#include "lib/checkout/state.hpp"

namespace deployment {

// Each of these throws Error for text that git does not print, and for a list
// of more entries than `most_entries`: of ever so short ones, a list is many
// times as large as the text.
constexpr int most_entries = 100'000;

// Returns the commit of `ref`; nullopt when it is not listed.
std::optional<CommitId> parse_ls_remote(std::string_view text,
                                        const std::string& ref);

// The same of the file packed-refs (git-pack-refs(1)), except that it throws
// nothing: a line that is no ref is passed over.
std::optional<CommitId> parse_packed_refs(std::string_view text,
                                          const std::string& ref);

// Returns heads with `tip` as the remote's commit.
Heads parse_for_each_ref(std::string_view text, const std::string& local_ref,
                         const CommitId& tip);
Divergence parse_divergence(std::string_view text);
int parse_count(std::string_view text);

// An entry of `git status --porcelain=v1 -z`: a changed file, an untracked
// one, or, with a slash at the end, a folder of untracked ones.
struct LocalChange {
  std::string path = {};
  bool missing = false;  // from the work tree only

  bool operator==(const LocalChange&) const = default;
};

std::vector<LocalChange> parse_status(std::string_view text);

// True for git's words for objects that are gone, empty or cut short.
bool speaks_of_damage(std::string_view text);

// Paths with a NUL at the end of each, that `command` of git printed.
Paths parse_paths(std::string_view text, const char* command);

// "MODE TYPE ID\tPATH" of `git ls-tree -z`.
struct TreeEntry {
  std::string mode = {};
  std::string id = {};

  bool is_folder() const { return mode == "040000"; }
  bool is_link() const { return mode == "120000"; }
  bool is_submodule() const { return mode == "160000"; }
};
std::map<std::string, TreeEntry> parse_ls_tree(std::string_view text);

}  // namespace deployment
