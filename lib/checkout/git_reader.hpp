// Asks git(1) about one checkout and one branch of one remote.
#pragma once

#include <set>

#include "lib/base/directory.hpp"
#include "lib/checkout/git_output.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// The remote could not be asked: no network, no such host, no access, …
class RemoteUnreachable : public CommandError {
 public:
  using CommandError::CommandError;
};

// Tells people which commit it is.
struct Headline {
  std::string subject;
  std::string author;
};

// Only asks questions: it cannot change the checkout even by mistake. Each
// function throws CommandError when git fails, unless it says otherwise.
class GitReader {
 public:
  // `context` has the open checkout as its directory.
  GitReader(CommandRunner& runner, Context context, std::string remote,
            std::string branch);

  // Asks the remote for the tip of the branch, and looks up the branch of the
  // checkout: in git's files, or by asking git when these do not tell it or it
  // is not at the tip. Throws RemoteUnreachable; Error when the remote has no
  // such branch. `tracking` is not looked up when the branch is at the tip.
  Heads heads() const;

  // Returns the address of the remote as git uses it; its name when there is no
  // such remote.
  std::string remote_url() const;

  // Looks up the branch of the checkout only; takes `tip` as the remote's.
  Heads heads_here(const CommitId& tip) const;

  // Returns true when the commit is here with all of its files: a fetch that
  // was stopped may have left a part of them.
  bool has_commit(const CommitId& id) const;
  CommitId current_commit() const;
  std::optional<std::string> current_branch() const;  // nullopt: detached
  Divergence compare(const CommitId& ours, const CommitId& theirs) const;
  // Counts the commits of `commit` that none of `others` has. Those of `others`
  // that are not here are left out.
  int count_commits(const CommitId& commit,
                    const std::vector<CommitId>& others) const;
  // Returns true when to what is checked out no branch and no tag leads.
  bool has_commits_without_ref() const;
  Headline headline(const CommitId& id) const;
  std::string subject(const CommitId& id) const { return headline(id).subject; }

  // Throws CommandError unless the commit has a good signature.
  void verify_signature(const CommitId& commit) const;

  // Calls `take` with path and content of those of `paths` that are files in
  // `commit`, one after the other; links inside the commit are followed. Throws
  // CommandError for one of more than `longest` bytes.
  using Take = std::function<void(const std::string&, std::string_view)>;
  void read_files(const CommitId& commit, const Paths& paths,
                  std::size_t longest, const Take& take) const;

  // Returns those of `paths` that `revision` has.
  std::map<std::string, TreeEntry> list_tree(const std::string& revision,
                                             const Paths& paths) const;

  // Returns those of `paths` at which `revision` has something: a file, a
  // folder or, on the way there, a file.
  std::set<std::string> tracked(const std::string& revision,
                                const Paths& paths) const;

  // Returns the id of the tree of `folder` in `commit`; empty: it has none.
  std::string tree_id(const CommitId& commit,
                      const std::filesystem::path& folder) const;

  // Follows the links on the way to `folder`: those that `commit` has and,
  // where it has nothing, those of the checkout. Throws Error for one that
  // leads out of the checkout, and for a folder in a submodule.
  std::filesystem::path real_folder(const CommitId& commit,
                                    const std::filesystem::path& folder) const;

  // Lists the submodules of `commit` that its .gitmodules names.
  Paths submodules(const CommitId& commit) const;

  std::vector<LocalChange> local_changes() const;
  // Returns the files that differ, of these `kinds` (--diff-filter).
  Paths changed_paths(const CommitId& from, const CommitId& to,
                      const std::string& kinds = "") const;

  // Returns true when the commits differ in a file at or below one of `paths`.
  bool differ(const CommitId& from, const CommitId& to,
              const std::vector<std::string>& paths) const;

  // Lists the files at and below `paths` that git does not track, ignored ones
  // too.
  Paths untracked_files_at(const Paths& paths) const;

  // Lists the files that git does not track, ignored ones too, and whose paths
  // match one of `patterns` (gitglossary(7), glob). A folder that is named
  // without wildcards stands for all files in it.
  Paths untracked_files(const Paths& patterns) const;

  // Lists what git does not track in `tree`, where Git::write_tree() wrote a
  // commit with its `index`; ignored files, too. A path with a slash at the end
  // stands for a folder in which nothing is tracked.
  Paths untracked_in(const std::filesystem::path& tree,
                     const std::filesystem::path& index) const;

  // Returns a reader that also sees the remote's branch, which it fetches into
  // `objects`. Nothing in the repository changes.
  GitReader with_objects_aside(const std::filesystem::path& objects) const;

  // Writes `files` of `commit` to "tree" in `folder` as they would be in the
  // checkout, with converted line endings and through its filters. Nothing in
  // the repository changes.
  void lay_out_aside(const CommitId& commit, const Paths& files,
                     const std::filesystem::path& folder) const;

  const std::string& remote() const { return remote_; }
  const std::string& branch() const { return branch_; }
  const std::filesystem::path& directory() const { return context_.directory; }
  const std::optional<User>& user() const { return context_.user; }
  const Directory& checkout() const { return *context_.top; }

 protected:
  Command command(std::string purpose, Words arguments) const;
  // Returns what git prints, of at most `longest` bytes.
  std::string ask(std::string purpose, Words arguments,
                  std::size_t longest = Context().longest_answer) const;
  // Throws CommandError unless the command succeeds. When git speaks of objects
  // that it cannot read, the advice depends on what git fsck finds.
  CommandResult run_checked(const Command& command) const;
  void require_success(const Command& command,
                       const CommandResult& result) const;
  std::string remote_ref() const;
  CommandRunner& runner() const { return *runner_; }
  const Context& context() const { return context_; }

 private:
  // Returns the content of the file `path`.
  std::string read_blob(const std::string& path, const std::string& id,
                        std::size_t longest) const;
  // Finds the first link on the way to `path`, and its target.
  std::optional<std::filesystem::path> first_link(
      const CommitId& commit, const std::filesystem::path& path,
      std::string& target) const;
  Command heads_query() const;
  // Runs a step of lay_out_aside().
  void write_aside(const Words& words, const Paths& files,
                   const std::filesystem::path& folder) const;
  // Returns the commit of the branch when it is checked out and its ref is a
  // file of its own or packed (gitrepository-layout(5)). This spares a run that
  // finds nothing to do one of two git processes. nullopt: git has to be asked,
  // as for linked work trees and the reftable format.
  std::optional<CommitId> checked_out_branch() const;
  std::optional<CommitId> packed_branch() const;
  std::optional<std::string> advice_about(std::string_view error) const;
  bool is_damaged(std::string_view error) const;
  std::string how_to_fetch_anew() const;
  // Commands for a person to paste; `advised` is "git -C CHECKOUT ARGUMENTS".
  std::string as_user(const std::string& command) const;
  std::string advised(const std::string& arguments) const;

  CommandRunner* runner_;
  Context context_;
  std::string remote_;
  std::string branch_;
};

}  // namespace deployment
