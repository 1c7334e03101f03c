// Keeps built environments (a venv, a node_modules) by what they were made
// from, and the stage where new ones are built.
#pragma once

#include <functional>
#include <map>

#include "lib/base/user.hpp"
#include "lib/model/config.hpp"
#include "lib/model/label.hpp"

namespace deployment {

// The folder deployment-update below a checkout's .git, where git status does
// not look and on the file system that exchanges need. Everything is done with
// the rights of the checkout's user, but for removing: a service that runs as
// root leaves files of its own in an environment.
class Store {
 public:
  Store(const std::filesystem::path& checkout, std::optional<User> user);

  // The folders in which a commit is laid out and built.
  std::filesystem::path stage() const { return root_ / "stage"; }
  std::filesystem::path staged_tree() const { return stage() / "tree"; }

  // Makes an empty stage; removes what an earlier run left in it.
  void open_stage();
  void write_in_stage(const std::string& name, std::string_view content);
  void remove_stage();

  // Reads the label of the environment in use; nullopt when there is no
  // environment, or no label in it.
  std::optional<Label> live_label(const Component& component) const;
  void set_live_label(const Component& component, const Label& label);
  void remove_live_label(const Component& component);

  // Finds the kept environment that serves `inputs` at `commit`.
  std::optional<std::filesystem::path> find(const Component& component,
                                            const Inputs& inputs,
                                            const CommitId& commit) const;

  // Labels the environment that was built in the stage and keeps it.
  void keep_staged(const Component& component, const Inputs& inputs);

  // Puts a kept environment into use and keeps the one that was. Returns
  // false when the file system cannot exchange two folders (renameat2(2):
  // EXDEV on overlayfs, ENOSYS, EINVAL): nothing has happened then.
  bool exchange(const Component& component, const std::filesystem::path& kept);

  // Makes room for one more kept environment, the newest, and returns its path.
  std::filesystem::path free_place(const Component& component);

  // Removes all kept environments but the `most` that were put there last.
  void prune(const Component& component, std::size_t most);

  std::filesystem::path live(const Component& component) const;
  std::filesystem::path staged(const Component& component) const;

 private:
  // Kept environments by number; the newest has the greatest, and comes first.
  using Kept = std::map<int, std::filesystem::path, std::greater<>>;
  Kept kept_of(const Component& component) const;
  std::filesystem::path shelf(const Component& component) const;

  // Removes a path below .git with this process's rights. Its user may put a
  // link anywhere below meanwhile: no link is followed on the way, and
  // remove_all() follows none further down.
  void remove(const std::filesystem::path& path);

  std::filesystem::path checkout_;
  std::filesystem::path root_;
  std::optional<User> user_;
};

}  // namespace deployment
