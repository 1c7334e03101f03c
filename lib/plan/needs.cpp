#include "lib/plan/needs.hpp"

#include "lib/plan/inputs_text.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// True when a rollback takes the environment in use out of it, whatever it was
// made from.
bool is_taken_back(const Record& record, const ComponentFacts& facts) {
  return record.roll_back_to && facts.live && facts.live->on_trial;
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
  if (facts.gone && !before.inputs.empty()) {
    return fmt::format(
        "its {} is {}", environment_name(component.type),
        facts.is_there ? "another one than was installed" : "gone");
  }
  if (facts.live && serves(*facts.live, facts.inputs, commit)) {
    return std::nullopt;
  }
  const bool known = facts.live && !facts.live->inputs.empty();
  const Inputs& made_from = known ? facts.live->inputs : before.inputs;
  if (are_alike(made_from, facts.inputs)) {
    return std::nullopt;
  }
  return describe_inputs(made_from, facts.inputs);
}

// Plans for a commit that has nothing of a component. A service that runs what
// is left is restarted, or it would go on with it: on the way back, and after a
// deployment that restarted it and was not done.
void add_needs_of_absent(const Component& component,
                         const ComponentRecord& before, const Record& record,
                         const ComponentFacts& facts, Needs& needs) {
  const bool is_unfinished = !record.roll_back_to &&
                             was_configured_so(component, record) &&
                             !before.commit;
  if (facts.runs_what_is_left || is_unfinished) {
    if (is_taken_back(record, facts) && facts.kept) {
      needs.installs.push_back({component, facts, "it was in use before"});
    } else if (is_taken_back(record, facts)) {
      needs.put_asides.push_back({component});
    }
    if (!component.services.empty()) {
      needs.restarts.push_back({.component = component, .may_fail = true});
    }
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
  for (const Component& configured : config.components) {
    const ComponentFacts& facts = target.components.at(configured.name);
    const Component component = real_component(configured, facts);
    const auto found = record.components.find(component.name);
    const ComponentRecord before =
        found == record.components.end() ? ComponentRecord{} : found->second;
    const bool is_done = before.commit == target.commit && !moves;
    const bool unchanged = facts.unchanged && before.commit != target.commit;
    if (facts.manifests.empty()) {
      if (!is_done || (facts.gone && !before.inputs.empty())) {
        add_needs_of_absent(component, before, record, facts, needs);
      }
      continue;
    }
    const auto reason =
        reason_to_install(component, facts, before, target.commit, force,
                          is_taken_back(record, facts));
    if (reason) {
      needs.installs.push_back({component, facts, *reason});
    }
    if (!reason && unchanged) {
      needs.skips.push_back({.component = component, .unchanged = true});
    }
    if (!reason && (is_done || unchanged)) {
      continue;
    }
    if (component.services.empty()) {
      add_checks(component, facts, !reason, record, target.commit, needs);
      needs.skips.push_back({.component = component, .has_no_service = true});
      continue;
    }
    needs.verifications.push_back(component);
    if (reason || moves || before.unverified_commit != target.commit) {
      add_checks(component, facts, !reason, record, target.commit, needs);
      // A process cannot change to another environment; and one that is not
      // known to run well begins anew.
      const bool reloads = component.action == Component::Action::reload &&
                           !reason && before.commit && !record.roll_back_to;
      needs.restarts.push_back({.component = component, .reloads = reloads});
    }
  }
  return needs;
}

}  // namespace deployment
