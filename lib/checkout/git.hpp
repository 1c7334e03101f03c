// git(1), in one checkout, for one branch of one remote.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/checkout/git_output.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// The remote could not be asked: no network, no such host, no access, …
class RemoteUnreachable : public CommandError {
 public:
  using CommandError::CommandError;
};

// Questions only: it cannot change the checkout even by mistake.
class GitReader {
 public:
  // `prototype` carries environment, user, directory and timeout.
  GitReader(CommandRunner& runner, Command prototype, std::string remote,
            std::string branch);

  // Asks the remote for the branch's tip and looks where the checkout's branch
  // is: in git's files, and when these do not say it or it is not at the tip,
  // by asking git. Throws RemoteUnreachable; Error when the remote has no such
  // branch. `tracking` is not looked up when the branch is at the tip.
  Heads look() const;

  // Only the checkout, with `tip` as the remote's commit.
  Heads look_here(const std::string& tip) const;

  bool has_commit(const std::string& id) const;
  std::string current_commit() const;
  std::string current_branch() const;  // empty: HEAD is detached
  Divergence compare(const std::string& ours, const std::string& theirs) const;
  std::string subject(const std::string& id) const;

  // The content of those of `paths` that are files in `commit`, links inside
  // the commit followed.
  std::map<std::string, std::string> read_files(
      const std::string& commit, const std::vector<std::string>& paths) const;

  // The local changes that moving the work tree from one commit to another
  // would overwrite.
  std::vector<std::string> in_the_way(const std::string& from,
                                      const std::string& to) const;

  // Those of `paths` whose files in the work tree are gone, or are what
  // `commit` has or the beginning of it, as git leaves them when it is killed
  // or has no space.
  std::vector<std::string> begun_from(
      const std::string& commit, const std::vector<std::string>& paths) const;

  // Files that stand directly in one of `folders` ("": the checkout's own) and
  // that git does not track, ignored ones too.
  std::vector<std::string> untracked_files(
      const std::vector<std::string>& folders) const;

  // Throws CommandError unless the commit has a good signature.
  void verify_signature(const std::string& commit) const;

  // A reader that sees `commit`, fetched into `objects` if need be, with the
  // repository's own objects as alternate. Nothing in the repository changes.
  GitReader with_objects_aside(const std::filesystem::path& objects) const;

  const std::string& remote() const { return remote_; }
  const std::string& branch() const { return branch_; }
  const std::filesystem::path& directory() const;

 protected:
  Command heads_query() const;
  Command command(std::string purpose,
                  std::vector<std::string> arguments) const;
  CommandResult run(std::string purpose,
                    std::vector<std::string> arguments) const;
  // Throws CommandError, with the way out of a damaged repository if it is
  // one, unless the command succeeds.
  CommandResult checked(const Command& command) const;
  std::map<std::string, TreeEntry> list_tree(
      const std::string& commit, const std::vector<std::string>& paths) const;
  std::string remote_ref() const;
  CommandRunner& runner() const { return *runner_; }
  const Command& prototype() const { return prototype_; }

 private:
  // The commit of the branch if it is checked out and its ref is a file
  // (gitrepository-layout(5)): a git process less, of two, in a run that finds
  // nothing to do. nullopt: git has to be asked, as for packed refs, linked
  // work trees and the reftable format.
  std::optional<std::string> checked_out_branch() const;
  std::string read_blob(const std::string& id) const;
  std::string how_to_fetch_anew() const;

  CommandRunner* runner_;
  Command prototype_;
  std::string remote_;
  std::string branch_;
};

// What changes the repository or the work tree.
class Git : public GitReader {
 public:
  using GitReader::GitReader;

  // Fetches the branch, tags and remote-tracking branch included, as git pull
  // does.
  void fetch() const;
  void checkout() const;
  void fast_forward(const std::string& commit) const;

  // Makes `paths` what the checked out commit has: tracked ones are restored,
  // others removed.
  void restore(const std::vector<std::string>& paths) const;

  // Keeps `commit` reachable under `ref`.
  void keep(const std::string& ref, const std::string& commit) const;
  void reset(const std::string& commit) const;
  void remove_file(const std::filesystem::path& path) const;

  // Writes the files of `commit` below `tree`, with an index of their own.
  void write_tree(const std::string& commit, const std::filesystem::path& tree,
                  const std::filesystem::path& index) const;

  // What git pull would have started in the background.
  void maintain(std::chrono::milliseconds timeout) const;

 private:
  Command changing(std::string purpose,
                   std::vector<std::string> arguments) const;
  CommandResult change(std::string purpose,
                       std::vector<std::string> arguments) const;
};

}  // namespace deployment
