// The steps of plans, as data.
#pragma once

#include <variant>

#include "lib/model/config.hpp"
#include "lib/plan/facts.hpp"

namespace deployment {

// Steps. Each carries its name, as --json has it.

struct RemoveLock {
  static constexpr std::string_view name = "remove-lock";
  std::filesystem::path path;
  std::string reason;
};
struct Fetch {
  static constexpr std::string_view name = "fetch";
  CommitId commit;
  bool is_here = false;  // but no branch that leads to it
};
struct Restore {
  static constexpr std::string_view name = "restore";
  Paths paths;
  std::string reason;
};
struct Checkout {
  static constexpr std::string_view name = "checkout";
  std::optional<std::string> from;  // branch; nullopt: detached
  std::string to;                   // branch
  CommitId commit;                  // that the branch is at, or will be made at
  bool from_another = true;         // commit, which is checked out
  // A commit that is checked out and that no branch leads to.
  std::optional<CommitId> keep = {};
};
struct FastForward {
  static constexpr std::string_view name = "fast-forward";
  std::optional<CommitId> from;  // nullopt: there is no branch yet
  CommitId to;
};
struct Reset {
  static constexpr std::string_view name = "reset";
  CommitId from;
  CommitId to;
  std::string reason;
  bool keep = false;  // `from` under a ref: only the checkout has it
};
// Before a move that puts something else in their place.
struct RemoveSubmodules {
  static constexpr std::string_view name = "remove-submodules";
  Paths paths;
};
// After the move, and after the one of a rollback, too.
struct UpdateSubmodules {
  static constexpr std::string_view name = "submodules";
  Paths paths;
};
// The component of a step for an environment is its home_of(); `users` are
// those that run on it, and empty where it is that component alone.

// Installs in place.
struct Install {
  static constexpr std::string_view name = "install";
  Component component;
  ComponentFacts facts;
  std::string reason;
  // The environment in use serves; only what the commands of `build` make does
  // not.
  bool only_builds = false;
  std::vector<Component> users = {};
  // The commands run there, as in the original script; nullopt: at home.
  std::optional<std::filesystem::path> directory = {};
};
// Builds environments aside, all at the same time.
struct Build {
  static constexpr std::string_view name = "build";
  CommitId commit;
  std::vector<Install> installs;
  bool has_submodules = false;
  bool from_scratch = false;  // begins with no empty environment
  // The components whose checks and releases follow: the commit stays laid out
  // for them.
  std::vector<Component> tried = {};
};
// Runs the checks of a component: after its install, and aside when there is a
// Build. `in_use`: the commit will run on the environment that is in use, and
// not on one that was built or kept.
struct Check {
  static constexpr std::string_view name = "check";
  Component component;
  ComponentFacts facts;
  bool in_use = false;
};
// Runs the releases of a component, where its checks run.
struct Release {
  static constexpr std::string_view name = "release";
  Component component;
  ComponentFacts facts;
  CommitId commit;
  bool in_use = false;
};
// Asks the program of the host that may put a deployment off.
struct Gate {
  static constexpr std::string_view name = "gate";
  CommandWords program;
  std::string said = {};  // when it was asked before
};
// Exchanges an environment that was built or kept with the one in use.
struct Exchange {
  static constexpr std::string_view name = "exchange";
  Component component;
  ComponentFacts facts;
  std::string reason;
  std::vector<Component> users = {};
};
// Takes an environment out of use: the commit needs none there.
struct PutAside {
  static constexpr std::string_view name = "put-aside";
  Component component;
  std::set<std::string> tracked = {};  // outputs that the commit has
  std::string reason = "the commit has nothing of it";
  std::vector<Component> users = {};
};
struct Restart {
  static constexpr std::string_view name = "restart";
  Component component;
  // The commit has nothing of the component: its service may not run at all.
  bool may_fail = false;
  // A service that runs is asked to load itself anew, and goes on.
  bool reloads = false;
};
struct Skip {
  static constexpr std::string_view name = "skip";
  Component component;
  bool environment_is_gone = false;
  bool unchanged = false;
  bool has_no_service = false;  // neither: the commit has nothing of it
};
struct Verify {
  static constexpr std::string_view name = "verify";
  std::vector<Component> components;
};

// Returns the components that run on the environment of a step.
template <typename OfEnvironment>
std::vector<Component> components_of(const OfEnvironment& step) {
  return step.users.empty() ? std::vector{step.component} : step.users;
}

// Returns their names.
template <typename OfEnvironment>
std::vector<std::string> users_of(const OfEnvironment& step) {
  std::vector<std::string> names;
  for (const Component& user : components_of(step)) {
    names.push_back(user.name);
  }
  return names;
}

using Step = std::variant<RemoveLock, Fetch, Build, Check, Gate, Release,
                          Restore, Checkout, FastForward, Reset,
                          RemoveSubmodules, UpdateSubmodules, Install, Exchange,
                          PutAside, Restart, Skip, Verify>;

// A commit that the steps deploy.
struct Change {
  CommitId from;  // deployed before, or checked out
  std::string from_subject = {};
  CommitId to;
  std::string to_subject = {};
  std::string to_author = {};
};

struct Plan {
  std::vector<Step> steps = {};
  // nullopt: the steps only fetch or put the branch in place, or there are
  // none.
  std::optional<Change> change = {};
  // Of the change, with their folders as they are where links are followed.
  std::vector<Component> components = {};
  // Has their home_of(), in the same order.
  std::vector<Component> homes = {};
  // The tip's objects are not here: apply these steps, observe and plan again.
  bool look_again = false;
  // Says why environments are built in place; nullopt when none is.
  std::optional<std::string> in_place_reason = {};
};

}  // namespace deployment
