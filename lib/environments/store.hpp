// Keeps built environments (a venv, a node_modules) by what they were made
// from, and the stage where new ones are built.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "lib/base/directory.hpp"
#include "lib/model/config.hpp"
#include "lib/model/label.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// The folder deployment-update below a checkout's .git, where git status does
// not look and on the file system that exchanges need. Everything is done with
// the rights of the checkout's user.
class Store {
 public:
  // `context` is one of the checkout's user, in the checkout.
  Store(std::shared_ptr<Directory> checkout, CommandRunner& runner,
        Context context);

  // The folders in which a commit is laid out and built.
  std::filesystem::path stage() const { return root_ / "stage"; }
  std::filesystem::path staged_tree() const { return stage() / "tree"; }

  // True when something, be it a link, is at `path` of the checkout.
  bool has(const std::filesystem::path& path) const;
  bool is_folder(const std::filesystem::path& path) const;

  // Makes an empty stage; removes what an earlier run left in it.
  void open_stage();
  // Writes the file `name` in the stage, and makes the folders on the way.
  void write_in_stage(const std::string& name, std::string_view content);
  void make_folder_in_stage(const std::filesystem::path& name);
  void remove_stage();
  // Removes the environment of a component from the stage.
  void remove_staged(const Component& component);

  // Reads the label of the environment in use; nullopt when there is no
  // environment, no label in it, or one of another folder; that is left out.
  std::optional<Label> live_label(const Component& component) const;
  // Writes it, with the folder. Makes that, too: npm makes none without
  // dependencies.
  void set_live_label(const Component& component, Label label);
  // Labels a folder that has no label, if the inputs are known.
  void label_live(const Component& component, const Inputs& inputs);
  // Returns where the environment in use leads, when it is a symbolic link.
  std::optional<std::string> live_link(const Component& component) const;
  // Returns true when there is one: one system call.
  bool has_live_label(const Component& component) const;
  // Returns true when the environment in use has the program that it cannot run
  // without, if there is one: a venv has, a node_modules has not. One system
  // call when it is there.
  bool has_interpreter(const Component& component) const;
  void remove_live_label(const Component& component);

  // Finds the kept environment that serves `inputs` at `commit`; with
  // Trials::left_out, one that is not on trial.
  enum class Trials { allowed, left_out };
  std::optional<std::filesystem::path> find(
      const Component& component, const Inputs& inputs, const CommitId& commit,
      Trials trials = Trials::allowed) const;

  // Labels a kept environment as on trial; and the one in use as verified.
  void begin_trial(const std::filesystem::path& kept);
  void end_trial(const Component& component);

  // Labels the environment that was built in the stage and keeps it.
  void keep_staged(const Component& component, const Inputs& inputs);

  // Puts a kept environment into use and keeps the one that was. Returns
  // false when the file system cannot exchange two folders (renameat2(2):
  // EXDEV on overlayfs, ENOSYS, EINVAL): nothing has happened then.
  bool exchange(const Component& component, const std::filesystem::path& kept);

  // Makes room for one more kept environment, the newest, and returns its path.
  std::filesystem::path free_place(const Component& component);

  // Takes the environment in use out of it, and keeps it.
  void put_aside(const Component& component);

  // Removes what runs that were killed left aside of labels.
  void remove_left_of_labels(const Component& component);

  // Removes all kept environments but the `most` that were put there last and
  // those that served one of `commits`.
  // `service_users` tells the users of the component's services, which leave
  // files of their own in them: they are removed with those users' rights,
  // whose programs the checkout holds anyway. Throws Error when something
  // cannot be removed.
  using AskUsers = std::function<std::vector<User>()>;
  void prune(const Component& component, std::size_t most,
             const std::set<CommitId>& commits, const AskUsers& service_users);

  std::filesystem::path live(const Component& component) const;
  std::filesystem::path staged(const Component& component) const;

 private:
  // Kept environments by number; the newest has the greatest, and comes first.
  using Kept = std::map<int, std::filesystem::path, std::greater<>>;
  Kept kept_of(const Component& component) const;
  std::filesystem::path shelf(const Component& component) const;

  // True when the environment in use has a file or link `name`: one system
  // call.
  bool has_file_of(const Component& component, std::string_view name) const;

  // Removes `path` as far as `user` may.
  void remove_as(const std::optional<User>& user,
                 const std::filesystem::path& path);
  void remove_environment(const std::filesystem::path& path,
                          const AskUsers& service_users);
  void require_removed(const std::filesystem::path& path) const;

  std::optional<Label> label_of(const std::filesystem::path& environment) const;
  // The same without the folder; nullopt also when that is another one.
  std::optional<Label> label_for(
      const Component& component,
      const std::filesystem::path& environment) const;
  std::optional<CommitId> served_by(
      const std::filesystem::path& environment) const;
  void write_label(const std::filesystem::path& environment,
                   const Label& label);

  std::shared_ptr<Directory> checkout_;
  CommandRunner& runner_;
  Context context_;
  std::filesystem::path root_;
  std::optional<User> user_;
};

}  // namespace deployment
