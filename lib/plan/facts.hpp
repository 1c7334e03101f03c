// The facts that a plan is made from, as values.
#pragma once

#include "lib/checkout/state.hpp"
#include "lib/model/label.hpp"

namespace deployment {

// One component at the target commit, and its environments.
struct ComponentFacts {
  std::vector<std::filesystem::path> manifests = {};  // that the commit has
  Inputs inputs = {};              // that determine its environment there
  std::optional<Label> live = {};  // the label of the environment in use
  bool kept = false;  // an environment that serves the commit is kept

  bool operator==(const ComponentFacts&) const = default;
};

// The commit to deploy, read from git's object database.
struct Target {
  CommitId commit;
  std::string from_subject = {};
  std::string to_subject = {};
  Paths in_the_way = {};  // local changes it overwrites
  // The ones that a stopped move of this program may have left.
  Paths half_written = {};
  std::map<std::string, ComponentFacts> components = {};
};

struct Observation {
  // The user that git runs as, for advice; nullopt: that of this process.
  std::optional<std::string> git_user = {};
  Heads heads;
  CommitId current_commit;
  std::optional<std::string> current_branch = {};  // nullopt: detached
  bool tip_is_here = false;  // the repository has the tip's objects
  // Known when the tip's objects could be read.
  std::optional<Divergence> divergence = {};
  std::optional<Target> target = {};
  std::vector<GitLock> git_locks = {};
  // Says why no environment can be built aside; nullopt when it can.
  std::optional<std::string> in_place_reason = {};
};

}  // namespace deployment
