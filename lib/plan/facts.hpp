// The facts that a plan is made from, as values.
#pragma once

#include <set>

#include "lib/checkout/state.hpp"
#include "lib/model/component.hpp"
#include "lib/model/label.hpp"

namespace deployment {

// Of what the record speaks of, what the checkout has not got any more. A look
// at it is cheap.
struct Standing {
  bool is_another_clone = false;    // than the one that the record names
  std::set<std::string> gone = {};  // components whose environment is gone

  bool is_complete() const { return !is_another_clone && gone.empty(); }
};

// One component at the target commit, and its environments.
struct ComponentFacts {
  std::vector<std::filesystem::path> manifests = {};  // that the commit has
  // Of the component, when its folder is a link.
  std::optional<std::filesystem::path> real_directory = {};
  // Of a workspace of npm, the folder of the root, where its environment is.
  std::optional<std::filesystem::path> root = {};
  // The first component with the same environment, which builds it for all;
  // empty: there is none before this one.
  std::string owner = {};
  Inputs inputs = {};              // that determine its environment there
  std::optional<Label> live = {};  // the label of the environment in use
  bool is_there = true;            // an environment is in use, whoever made it
  // Set when it is a symbolic link: where that leads.
  std::optional<std::string> link = {};
  bool gone = false;  // it is not the one that the record speaks of
  // Outputs of the one in use that are gone, and outputs of any that the commit
  // tracks.
  std::vector<std::string> lost = {};
  std::set<std::string> tracked = {};
  // An environment that serves the commit is kept; for a rollback only one that
  // is not on trial counts.
  bool kept = false;
  // The commit has nothing of the component, but the one that a rollback leaves
  // has, and the service may run it.
  bool runs_what_is_left = false;

  // The environment that it ran on, in another place than the present one,
  // where nothing else is made any more.
  std::optional<Component> left = {};
  // Its paths are as in the commit that it runs, which is another one.
  bool unchanged = false;

  bool operator==(const ComponentFacts&) const = default;
};

// The commit to deploy, read from git's object database.
struct Target {
  CommitId commit;
  std::string from_subject = {};
  std::string to_subject = {};
  std::string to_author = {};
  Paths in_the_way = {};  // local changes it overwrites
  // The ones that a stopped move of this program may have left.
  Paths half_written = {};
  Paths submodules = {};
  // Of the checked out commit, where this one has something else.
  Paths replaced_submodules = {};
  std::map<std::string, ComponentFacts> components = {};
};

struct Observation {
  // The user that git runs as, for advice; nullopt: that of this process.
  std::optional<std::string> git_user = {};
  Heads heads;
  CommitId current_commit;
  std::optional<std::string> current_branch = {};  // nullopt: detached
  // Detached at a commit to which no branch or tag leads: a person's own.
  bool is_own_commit = false;
  bool tip_is_here = false;  // the repository has the tip's objects
  // Known when the tip's objects could be read.
  std::optional<Divergence> divergence = {};
  std::optional<Target> target = {};
  std::vector<GitLock> git_locks = {};
  // Says why no environment can be built aside; nullopt when it can.
  std::optional<std::string> in_place_reason = {};
};

}  // namespace deployment
