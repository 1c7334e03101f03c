// Decides what to do, as data. make_plan() is pure: no process, no file, no
// clock.
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
// Installs in place.
struct Install {
  static constexpr std::string_view name = "install";
  Component component;
  ComponentFacts facts;
  std::string reason;
};
// Builds environments aside, all at the same time.
struct Build {
  static constexpr std::string_view name = "build";
  CommitId commit;
  std::vector<Install> installs;
};
// Exchanges an environment that was built or kept with the one in use.
struct Exchange {
  static constexpr std::string_view name = "exchange";
  Component component;
  ComponentFacts facts;
  std::string reason;
};
struct Restart {
  static constexpr std::string_view name = "restart";
  Component component;
};
struct Skip {
  static constexpr std::string_view name = "skip";
  Component component;
};
struct Verify {
  static constexpr std::string_view name = "verify";
  std::vector<Component> components;
};

using Step =
    std::variant<RemoveLock, Fetch, Build, Restore, Checkout, FastForward,
                 Reset, Install, Exchange, Restart, Skip, Verify>;

// A commit that the steps deploy.
struct Change {
  CommitId from;  // deployed before, or checked out
  std::string from_subject = {};
  CommitId to;
  std::string to_subject = {};
};

struct Plan {
  std::vector<Step> steps = {};
  // nullopt: the steps only fetch or put the branch in place, or there are
  // none.
  std::optional<Change> change = {};
  // The tip's objects are not here: apply these steps, observe and plan again.
  bool look_again = false;
  // Says why environments are built in place; nullopt when none is.
  std::optional<std::string> in_place_reason = {};
};

// Plans what Verdict::deploy asks for. Throws Error when nothing may be done:
// the branch diverged, local changes are in the way, a git is running in the
// checkout.
Plan make_plan(const Config& config, const Record& record,
               const Observation& seen, bool force);

// Returns the ref under which a commit that a reset takes off the branch stays
// reachable.
std::string lost_ref(const CommitId& commit);

}  // namespace deployment
