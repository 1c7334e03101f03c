// Changes the repository and the work tree by git(1).
#pragma once

#include "lib/checkout/git_reader.hpp"

namespace deployment {

// Each function throws CommandError when git fails.
class Git : public GitReader {
 public:
  using GitReader::GitReader;

  // Fetches the branch, with tags and the remote-tracking branch, as git pull
  // does. Runs `beside` at the same time and returns its results.
  Results fetch(const Sequence& beside);
  void checkout();
  void fast_forward(const CommitId& commit);
  void reset(const CommitId& commit);

  // Makes `paths` what the checked out commit has: restores those that it
  // tracks and removes the others.
  void restore(const Paths& paths);

  // Keeps `commit` reachable under `ref`.
  void keep(const std::string& ref, const CommitId& commit);

  void remove_file(const std::filesystem::path& path);

  // Writes the files of `commit` below `tree`, with an index of their own.
  void write_tree(const CommitId& commit, const std::filesystem::path& tree,
                  const std::filesystem::path& index);

  // Removes the work trees of submodules. Those with local changes stay, and
  // that is a failure.
  void remove_submodules(const Paths& paths);

  // Brings the submodules to the commits that the checked out one names.
  void update_submodules();

  // Writes the files of the submodules below `tree`, where write_tree() wrote
  // a commit with its `index`; git takes no folder in it for a repository.
  // `repository` is an empty one that has the objects of this one.
  void write_submodules(const std::filesystem::path& repository,
                        const std::filesystem::path& tree,
                        const std::filesystem::path& index);

  // Does the housekeeping that git pull would have started in the background.
  void maintain(std::chrono::milliseconds timeout);

 private:
  Command changing(std::string purpose, const Words& arguments) const;
  void change(std::string purpose, const Words& arguments);
};

}  // namespace deployment
