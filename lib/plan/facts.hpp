// What is so, before anything is decided: facts as values.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/time.hpp"
#include "lib/checkout/git_locks.hpp"
#include "lib/checkout/git_output.hpp"
#include "lib/model/label.hpp"

namespace deployment {

// What the target commit holds of one component.
struct ComponentFacts {
  std::vector<std::filesystem::path> manifests = {};  // those that exist
  Inputs inputs = {};  // what an environment made from it would be made from
  std::optional<Label> live = {};  // what the environment in use says it is
  bool kept = false;  // an environment that serves the commit is kept

  bool operator==(const ComponentFacts&) const = default;
};

// The commit to deploy, looked at in git's object database.
struct Target {
  std::string commit = {};
  std::string from_subject = {};
  std::string to_subject = {};
  std::vector<std::string> in_the_way = {};  // local changes it overwrites
  // Those of them that a move of this program's own began to write.
  std::vector<std::string> half_written = {};
  std::map<std::string, ComponentFacts> components = {};
};

struct Observation {
  Time now{};
  Heads heads = {};
  std::string current_commit = {};  // known when a closer look was taken
  std::string current_branch = {};  // likewise; empty: detached
  bool tip_is_here = false;         // the repository has the tip's objects
  // Known when the tip's objects could be looked at.
  std::optional<Divergence> divergence = {};
  std::optional<Target> target = {};
  std::vector<GitLock> git_locks = {};
  // Why no environment can be built aside; empty: it can.
  std::string in_place_reason = {};
};

}  // namespace deployment
