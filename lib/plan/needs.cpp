#include "lib/plan/needs.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "lib/plan/homes.hpp"
#include "lib/plan/inputs_text.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// True when a rollback takes the environment in use out of it, whatever it was
// made from.
bool is_taken_back(const Record& record, const ComponentFacts& facts) {
  return record.roll_back_to && facts.live && facts.live->on_trial;
}

// Lists the outputs in use that the commit tracks.
std::vector<std::string> tracked_outputs(const ComponentFacts& facts) {
  std::vector<std::string> tracked;
  if (facts.live) {
    std::ranges::copy_if(facts.tracked, std::back_inserter(tracked),
                         [&](const std::string& path) {
                           return facts.live->outputs.contains(path);
                         });
  }
  return tracked;
}

// Lists what was left to git when the environment in use was built, and what
// the commit has not got.
std::vector<std::string> outputs_without(const ComponentFacts& facts) {
  std::vector<std::string> missing;
  if (facts.live) {
    std::ranges::set_difference(facts.live->without, facts.tracked,
                                std::back_inserter(missing));
  }
  return missing;
}

// Returns true when the environment in use is what an install would make: what
// the commands of `build` read has changed, or what they made is gone.
bool needs_only_builds(const ComponentFacts& facts, bool force) {
  if (force || facts.gone || !facts.live || facts.live->on_trial ||
      facts.live->inputs.empty()) {
    return false;
  }
  const auto is_of_command = [&](const std::string& path) {
    return facts.live->outputs.at(path).by_command;
  };
  return std::ranges::all_of(facts.lost, is_of_command) &&
         std::ranges::all_of(tracked_outputs(facts), is_of_command) &&
         outputs_without(facts).empty() &&
         are_alike(without_builds(facts.live->inputs),
                   without_builds(facts.inputs));
}

// Says why a component needs another environment; nullopt when it does not. The
// label of the environment in use counts more than the record.
std::optional<std::string> reason_to_install(const Component& component,
                                             const ComponentFacts& facts,
                                             const ComponentRecord& before,
                                             const CommitId& commit, bool force,
                                             bool is_taken_back) {
  if (force) {
    return "--force";
  }
  if (is_taken_back && facts.kept) {
    return "it was in use before";
  }
  if (!facts.lost.empty()) {
    return fmt::format("its build made {}, which is gone",
                       fmt::join(facts.lost, ", "));
  }
  if (facts.gone && !before.inputs.empty()) {
    return fmt::format(
        "its {} is {}", environment_of(component),
        facts.is_there ? "another one than was installed" : "gone");
  }
  if (const auto tracked = tracked_outputs(facts); !tracked.empty()) {
    return fmt::format("its build made {}, which the commit has",
                       fmt::join(tracked, ", "));
  }
  if (const auto missing = outputs_without(facts); !missing.empty()) {
    return fmt::format("its build makes {}, which the commit has not",
                       fmt::join(missing, ", "));
  }
  if (facts.live && serves(*facts.live, facts.inputs, commit)) {
    return std::nullopt;
  }
  const std::string root = facts.root.value_or("").string();
  if (before.root != root && !before.inputs.empty()) {
    return root.empty()
               ? fmt::format("it is no workspace of {} any more", before.root)
               : fmt::format("it is a workspace of {} now", root);
  }
  const bool known = facts.live && !facts.live->inputs.empty();
  const Inputs& made_from = known ? facts.live->inputs : before.inputs;
  if (are_alike(made_from, facts.inputs)) {
    return std::nullopt;
  }
  return describe_inputs(made_from, facts.inputs);
}

// Returns the one of `steps` for the environment at `home`; nullptr: none.
template <typename OfEnvironment>
OfEnvironment* step_at(std::vector<OfEnvironment>& steps,
                       const Component& home) {
  const auto found =
      std::ranges::find_if(steps, [&](const OfEnvironment& step) {
        return place_of(step.component) == place_of(home);
      });
  return found == steps.end() ? nullptr : &*found;
}

// Plans the environment of `component`, once for all that run on it.
void add_install(const Component& component, const ComponentFacts& facts,
                 const std::string& reason, bool only_builds, Needs& needs) {
  const Component home = home_of(component, facts);
  if (Install* known = step_at(needs.installs, home)) {
    known->users.push_back(component);
  } else {
    needs.installs.push_back({home, facts, reason, only_builds, {component}});
  }
}

void add_put_aside(const Component& component, const Component& home,
                   const ComponentFacts& facts, const std::string& reason,
                   Needs& needs) {
  if (PutAside* known = step_at(needs.put_asides, home)) {
    known->users.push_back(component);
    known->tracked.insert(facts.tracked.begin(), facts.tracked.end());
  } else {
    needs.put_asides.push_back({home, facts.tracked, reason, {component}});
  }
}

// Plans for a commit that has nothing of a component. A service that runs what
// is left is restarted, or it would go on with it: on the way back, and after a
// deployment that restarted it and was not done. What its build made and git
// has now goes out of git's way, and its environment with it.
void add_needs_of_absent(const Component& component,
                         const ComponentRecord& before, const Record& record,
                         const ComponentFacts& facts, Needs& needs) {
  const bool is_unfinished = !record.roll_back_to &&
                             was_configured_so(component, record) &&
                             !before.commit;
  const bool restarts = facts.runs_what_is_left || is_unfinished;
  const bool goes = restarts && is_taken_back(record, facts);
  const auto tracked = tracked_outputs(facts);
  if (goes && facts.kept) {
    add_install(component, facts, "it was in use before", false, needs);
  } else if (goes || !tracked.empty()) {
    add_put_aside(component, home_of(component, facts), facts,
                  tracked.empty()
                      ? "the commit has nothing of it"
                      : fmt::format("its build made {}, which the commit has",
                                    fmt::join(tracked, ", ")),
                  needs);
  }
  if (restarts && !component.services.empty()) {
    needs.restarts.push_back({.component = component, .may_fail = true});
  }
  needs.skips.push_back(
      {.component = component,
       .environment_is_gone = facts.gone && !before.inputs.empty()});
}

// Plans what comes before a restart. A rollback must not be stopped by it, and
// its commit has served.
void add_checks(const Component& component, const ComponentFacts& facts,
                bool in_use, const Record& record, const CommitId& commit,
                Needs& needs) {
  if (record.roll_back_to) {
    return;
  }
  if (!component.checks.empty()) {
    needs.checks.push_back({component, facts, in_use});
  }
  const auto released = record.released.find(component.name);
  const bool is_released =
      released != record.released.end() && released->second == commit;
  if (!component.releases.empty() && !is_released) {
    needs.releases.push_back({component, facts, commit, in_use});
  }
}

ComponentRecord known_of(const Component& component, const Record& record) {
  const auto found = record.components.find(component.name);
  return found == record.components.end() ? ComponentRecord{} : found->second;
}

// Says why environments are installed, by their owners: one that any of its
// users needs anew is that for all.
std::map<std::string, std::string> reasons_to_install(const Config& config,
                                                      const Record& record,
                                                      const Target& target,
                                                      bool force) {
  std::map<std::string, std::string> reasons;
  for (const Component& component : config.components) {
    const ComponentFacts& facts = target.components.at(component.name);
    if (facts.manifests.empty()) {
      continue;
    }
    const auto reason =
        reason_to_install(component, facts, known_of(component, record),
                          target.commit, force, is_taken_back(record, facts));
    if (reason) {
      reasons.try_emplace(home_of(component, facts).name, *reason);
    }
  }
  return reasons;
}

}  // namespace

Component real_component(const Component& component,
                         const ComponentFacts& facts) {
  Component real = component;
  real.directory = facts.real_directory.value_or(component.directory);
  return real;
}

Needs needs_of(const Config& config, const Record& record, const Target& target,
               bool moves, bool force) {
  Needs needs;
  const auto reasons = reasons_to_install(config, record, target, force);
  for (const Component& configured : config.components) {
    const ComponentFacts& facts = target.components.at(configured.name);
    const Component component = real_component(configured, facts);
    const ComponentRecord before = known_of(component, record);
    const bool is_done = before.commit == target.commit && !moves;
    const bool unchanged = facts.unchanged && before.commit != target.commit;
    if (facts.manifests.empty()) {
      if (!is_done || (facts.gone && !before.inputs.empty())) {
        add_needs_of_absent(component, before, record, facts, needs);
      }
      continue;
    }
    const auto found = reasons.find(home_of(component, facts).name);
    const bool installs = found != reasons.end();
    if (installs) {
      add_install(component, facts, found->second,
                  needs_only_builds(facts, force), needs);
    }
    if (facts.left) {
      add_put_aside(
          component, *facts.left, facts,
          fmt::format("{} has its environment in {} now", component.name,
                      home_of(component, facts).directory.string()),
          needs);
    }
    if (!installs && unchanged) {
      needs.skips.push_back({.component = component, .unchanged = true});
    }
    if (!installs && (is_done || unchanged)) {
      continue;
    }
    if (component.services.empty()) {
      add_checks(component, facts, !installs, record, target.commit, needs);
      needs.skips.push_back({.component = component, .has_no_service = true});
      continue;
    }
    needs.verifications.push_back(component);
    if (installs || moves || before.unverified_commit != target.commit) {
      add_checks(component, facts, !installs, record, target.commit, needs);
      // A process cannot change to another environment; and one that is not
      // known to run well begins anew.
      const bool reloads = component.action == Component::Action::reload &&
                           !installs && before.commit && !record.roll_back_to;
      needs.restarts.push_back({.component = component, .reloads = reloads});
    }
  }
  for (Install& install : needs.installs) {
    install.only_builds =
        install.only_builds &&
        std::ranges::any_of(install.users, [](const Component& user) {
          return !user.builds.empty();
        });
  }
  return needs;
}

}  // namespace deployment
