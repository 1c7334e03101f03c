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
  bool is_file(const std::filesystem::path& path) const;
  // Reads a file of the checkout; nullopt: there is none, or a longer one.
  std::optional<std::string> text_of(const std::filesystem::path& path,
                                     std::size_t longest) const;

  // Makes an empty stage; removes what an earlier run left in it.
  void open_stage();
  // Writes the file `name` in the stage, and makes the folders on the way.
  void write_in_stage(const std::string& name, std::string_view content);
  void make_folder_in_stage(const std::filesystem::path& name);
  void remove_stage();
  // Removes the environment of a component, or anything, from the stage.
  void remove_staged(const Component& component);
  void remove_from_stage(const std::filesystem::path& path);

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
  // Trials::left_out, one that is not on trial. Leaves out one of which an
  // output is gone, or is in `tracked`, and one without an output that is not.
  // Another component may have kept it, which owned what is at that place then.
  enum class Trials { allowed, left_out };
  std::optional<std::filesystem::path> find(
      const Component& component, const Inputs& inputs, const CommitId& commit,
      Trials trials = Trials::allowed,
      const std::set<std::string>& tracked = {}) const;

  // Labels a kept environment as on trial; and the one in use as verified.
  void begin_trial(const std::filesystem::path& kept);
  void end_trial(const Component& component);

  // Labels the environment that was built in the stage and keeps it, with what
  // was made beside it: paths of the tree, true for those that a command of
  // `build` made; and `without` what git has in their place. Throws Error when
  // these are too many for a label.
  using Made = std::map<std::string, bool>;
  void keep_staged(const Component& component, const Inputs& inputs,
                   const Made& made = {},
                   const std::set<std::string>& without = {});

  // The following are about empty environments: as the commands that make one
  // anew leave it, with nothing installed yet. One of each component is kept,
  // and is in the stage while a build begins with a copy of it: when that fails
  // it may be to blame, and goes with the stage.

  std::filesystem::path staged_empty(const Component& component) const;
  // Moves it into the stage. Returns false when none was made from `inputs` at
  // the component's place.
  bool take_empty(const Component& component, const Inputs& inputs);
  // Keeps the one in the stage, if there is one, instead of another one.
  void keep_empty(const Component& component, const Inputs& inputs);
  // Removes those of other components.
  void remove_empties_but(const std::set<std::string>& components);

  // Puts a kept environment into use and keeps the one that was, each with its
  // outputs, but for paths that git has `tracked`. Returns false when the file
  // system cannot exchange two folders (renameat2(2): EXDEV on overlayfs,
  // ENOSYS, EINVAL): nothing has happened then.
  bool exchange(const Component& component, const std::filesystem::path& kept,
                const std::set<std::string>& tracked = {});

  // Makes room for one more kept environment, the newest, and returns its path.
  std::filesystem::path free_place(const Component& component);

  // Takes the environment in use out of it, and keeps it at
  // place_to_put_aside(): what it had displaced is beside that.
  void put_aside(const Component& component,
                 const std::set<std::string>& tracked = {});
  std::filesystem::path place_to_put_aside(const Component& component);

  // The following are about outputs; their definitions are in
  // store_exchange.cpp.

  // Returns the outputs of an environment, in use or kept; none without a
  // label.
  Outputs outputs_of(const std::filesystem::path& environment) const;
  // Lists the paths of all of a component's environments.
  std::set<std::string> output_paths(const Component& component) const;
  // Lists those of the environment in use that are gone, or in whose place is
  // something of another kind.
  std::vector<std::string> lost_outputs(const Component& component) const;
  // Returns true when that very output stands at the path.
  bool is_in_place(const std::string& path, const Output& output) const;
  // Returns the places of the outputs of an environment, by their paths.
  std::map<std::string, std::filesystem::path> places_of_outputs(
      const Component& component,
      const std::filesystem::path& environment) const;
  // Lets the label of the environment in use speak of what stands at the paths
  // of its outputs now.
  void refresh_outputs(const Component& component);
  // Says which output cannot be moved by an exchange with `kept`, and why.
  std::optional<std::string> why_not_exchanged(
      const Component& component, const std::filesystem::path& kept) const;
  // Lists what stands in the place of outputs of `kept` and is no output.
  std::vector<std::string> displaced_by(
      const Component& component, const std::filesystem::path& kept) const;
  // Lists the outputs that an exchange with `kept` takes out of the checkout
  // and that were written to since a build made them.
  std::vector<std::string> changed_ones_that_leave(
      const Component& component, const std::filesystem::path& kept) const;
  // Returns a file beside one that an exchange with `kept` moves, which tells
  // that the latter is a database in use. nullopt: there is none.
  std::optional<std::string> unfinished_in_place_of(
      const Component& component, const std::filesystem::path& kept) const;
  // Moves the outputs in use that are `tracked` out of git's way, to where an
  // exchange with `kept` would.
  void make_way(const Component& component, const std::filesystem::path& kept,
                const std::set<std::string>& tracked);
  // Moves back what an exchange that was stopped has moved, and returns the
  // paths. `home` is where the component's environment is; one that it keeps
  // may have been on its way to another place. `tracked_of` returns those of
  // some paths that git tracks.
  using TrackedOf =
      std::function<std::set<std::string>(const std::vector<std::string>&)>;
  std::vector<std::string> take_back_half(const Component& home,
                                          const TrackedOf& tracked_of);
  // The place where what belongs to `path` is, or will be, beside a kept
  // environment.
  std::filesystem::path place_of_output(const std::filesystem::path& kept,
                                        const std::string& path) const;
  // The folder of these places, and a place beside one of them, or beside a
  // kept environment, while two folders are moved in turn.
  void make_outputs_folder(const std::filesystem::path& kept);
  static std::filesystem::path aside(const std::filesystem::path& place);
  static std::filesystem::path outputs_folder(
      const std::filesystem::path& kept);
  std::vector<std::string> names_in_stage(const std::string& folder) const;
  // After two folders were moved in turn: labels the environment in use, and
  // the one at `kept`, which had the label `before`, with what stands now.
  void label_moved(const Component& component,
                   const std::filesystem::path& kept,
                   const std::optional<Label>& before);

  // Removes what runs that were killed left aside of labels.
  void remove_left_of_labels(const Component& component);

  // Removes all kept environments but the `most` that were put there last and
  // those that served one of `commits`. Files that somebody else had put at the
  // path of an output, or changed there, stay in the folder displaced: `tell`
  // is called with the path and the place of each.
  // `service_users` tells the users of the component's services, which leave
  // files of their own in them: they are removed with those users' rights,
  // whose programs the checkout holds anyway. Throws Error when something
  // cannot be removed.
  using AskUsers = std::function<std::vector<User>()>;
  using TellDisplaced =
      std::function<void(const std::string&, const std::filesystem::path&)>;
  void prune(const Component& component, std::size_t most,
             const std::set<CommitId>& commits, const AskUsers& service_users,
             const TellDisplaced& tell = {});

  std::filesystem::path live(const Component& component) const;
  std::filesystem::path staged(const Component& component) const;

 private:
  // Kept environments by number; the newest has the greatest, and comes first.
  using Kept = std::map<int, std::filesystem::path, std::greater<>>;
  Kept kept_of(const Component& component) const;
  // Lists those of a component, and then those that others kept for its place.
  std::vector<std::filesystem::path> kept_at(const Component& home) const;
  std::filesystem::path shelf(const Component& component) const;
  std::filesystem::path empties() const;

  // True when the environment in use has a file or link `name`: one system
  // call.
  bool has_file_of(const Component& component, std::string_view name) const;

  // Removes `path` as far as `user` may.
  void remove_as(const std::optional<User>& user,
                 const std::filesystem::path& path);
  void remove_environment(const std::filesystem::path& path,
                          const AskUsers& service_users);
  void require_removed(const std::filesystem::path& path) const;

  bool can_be_used(const Label& label, const std::filesystem::path& kept,
                   const std::set<std::string>& tracked) const;
  bool exchange_environment(const Component& component,
                            const std::filesystem::path& kept);
  // Swaps `paths` with what is held beside `kept`, and then acts; takes all
  // back when one of them returns false, or throws.
  bool swap_around(const std::vector<std::string>& paths,
                   const std::filesystem::path& kept,
                   const std::function<bool()>& act);
  void put_back_left_aside(const std::filesystem::path& kept);
  void keep_displaced(const std::filesystem::path& kept,
                      const TellDisplaced& tell);
  // Moves that below displaced/, and returns its place there.
  std::filesystem::path displace(const std::filesystem::path& what);

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
