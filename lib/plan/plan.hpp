// What to do, as data. make_plan() is pure: no process, no file, no clock.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/model/config.hpp"
#include "lib/model/record.hpp"
#include "lib/plan/facts.hpp"

namespace deployment {

struct RemoveLock {
  std::filesystem::path path;
  std::string reason;
};
struct Fetch {
  std::string commit;
};
struct Restore {
  std::vector<std::string> paths;
  std::string reason;
};
struct Checkout {
  std::string from;    // branch; empty: detached
  std::string to;      // branch
  std::string commit;  // that the branch is at, or will be made at
};
struct FastForward {
  std::string from;
  std::string to;
};
struct Reset {
  std::string from;
  std::string to;
  std::string reason;
  bool keep = false;  // `from` under a ref: only the checkout has it
};
struct Install {  // in place
  Component component;
  ComponentFacts facts;
  std::string reason;
};
struct Build {  // aside, all at the same time
  std::string commit;
  std::vector<Install> installs;
};
struct Exchange {  // an environment that was built or kept, for the present
  Component component;
  ComponentFacts facts;
  std::string reason;
};
struct Restart {
  Component component;
};
struct Skip {
  Component component;
};
struct Verify {
  std::vector<Component> components;
};

using Step =
    std::variant<RemoveLock, Fetch, Build, Restore, Checkout, FastForward,
                 Reset, Install, Exchange, Restart, Skip, Verify>;

struct Plan {
  std::string from;  // deployed before; empty: not known
  std::string from_subject;
  std::string to;
  std::string to_subject;
  std::vector<Step> steps;
  // The tip's objects are not here: apply these steps, observe, plan again.
  bool look_again = false;
  // Why environments are built in place; empty: they are not, or none is.
  std::string in_place_reason;
  // The commit is quarantined: nothing to do.
  bool quarantined = false;
  // The commit is pending and its next try is not due: nothing to do now.
  bool postponed = false;

  // The steps deploy a commit, rather than only put the branch in place.
  bool deploys() const { return !to.empty(); }
};

// Throws Error when nothing may be done: the branch diverged, local changes
// are in the way, a git holds the checkout.
Plan make_plan(const Config& config, const Record& record,
               const Observation& seen, bool force);

// One line of a plan and of the log, with the step's reason.
std::string describe(const Step& step);

// The step's name in --json: "fetch", "install", …
std::string_view name_of(const Step& step);

// The component a step is for; empty: none.
std::string component_of(const Step& step);

// "fetch", "frontend: install": the step in a few words.
std::string label_of(const Step& step);

// Where a commit that a reset takes off the branch stays reachable.
std::string lost_ref(const std::string& commit);

// "1234567890ab (subject) -> …", for the head of a plan and of the log.
std::string describe_change(const Plan& plan);

// The plan as one JSON object, for --dry-run --json.
std::string to_json(const Plan& plan);

}  // namespace deployment
