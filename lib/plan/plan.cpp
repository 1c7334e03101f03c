#include "lib/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lib/model/paths.hpp"
#include "lib/plan/homes.hpp"
#include "lib/plan/needs.hpp"
#include "lib/plan/refusals.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

void plan_fetch(Plan& plan, const Config& config, const Record& record,
                const Observation& seen) {
  for (const GitLock& lock : seen.git_locks) {
    plan.steps.emplace_back(removal_of(lock, config, record, seen));
  }
  // A branch may be new here at a commit that is not.
  if (!seen.tip_is_here || !local_commit(seen.heads)) {
    plan.steps.emplace_back(Fetch{seen.heads.tip, seen.tip_is_here});
  }
}

// Moves the branch to `to`, unless it is there.
void plan_move(Plan& plan, const Config& config, const Record& record,
               const Observation& seen, const CommitId& to) {
  const std::optional<CommitId>& local = local_commit(seen.heads);
  const Divergence& divergence = *seen.divergence;
  if (record.roll_back_to) {
    if (local && local != to) {
      // People's commits are kept.
      plan.steps.emplace_back(Reset{.from = *local,
                                    .to = to,
                                    .reason = "roll back",
                                    .keep = divergence.ours > 0});
    }
  } else if (divergence.theirs == 0 && divergence.taken_away == 0) {
    return;
  } else if (divergence.ours == 0) {
    plan.steps.emplace_back(FastForward{.from = local, .to = to});
  } else if (config.on_divergence == OnDivergence::reset) {
    plan.steps.emplace_back(Reset{
        .from = *local,
        .to = to,
        .reason = fmt::format("the {} and on-divergence = reset",
                              divergence.theirs == 0 ? "remote was moved back"
                                                     : "branch diverged"),
        .keep = true});
  } else {
    refuse_divergence(config, seen);
  }
}

// Puts the branch, and with it the work tree, on the target.
void plan_moves(Plan& plan, const Config& config, const Record& record,
                const Observation& seen) {
  if (seen.target && !seen.target->in_the_way.empty()) {
    plan.steps.emplace_back(restoration_of(config, seen));
  }
  const CommitId local = local_commit(seen.heads).value_or(seen.heads.tip);
  if (!seen.heads.on_branch) {
    plan.steps.emplace_back(
        Checkout{.from = seen.current_branch,
                 .to = config.branch,
                 .commit = local,
                 .from_another = local != seen.current_commit,
                 .keep = seen.is_own_commit ? std::optional(seen.current_commit)
                                            : std::nullopt});
  }
  plan_move(plan, config, record, seen,
            seen.target ? seen.target->commit : local);
}

// Returns true for a step that brings another commit into the work tree.
bool moves_files(const Step& step) {
  const auto* checkout = std::get_if<Checkout>(&step);
  return checkout != nullptr ? checkout->from_another
                             : std::holds_alternative<FastForward>(step) ||
                                   std::holds_alternative<Reset>(step);
}

bool updates_submodules(const Config& config, const Target& target) {
  return config.submodules == Submodules::update && !target.submodules.empty();
}

void require_no_links(const Needs& needs, const Config& config) {
  const auto require_none = [&](const auto& steps) {
    for (const auto& step : steps) {
      require_no_link(step.component, step.facts, config);
    }
  };
  require_none(needs.installs);
  require_none(needs.checks);
  require_none(needs.releases);
}

// Asks the gate before releases, which nobody takes back.
void plan_last_before_move(Plan& plan, const Needs& needs, const Config& config,
                           const Record& record, bool staged, bool force) {
  if (!force && plan.change && has_gate(config, record, plan.change->to)) {
    const bool was_asked = record.pending && record.pending->deferred_since;
    plan.steps.emplace_back(Gate{
        .program = config.gate,
        .said = was_asked ? record.pending->failure.value_or(Failure{}).error
                          : ""});
  }
  if (staged) {
    plan.steps.insert(plan.steps.end(), needs.releases.begin(),
                      needs.releases.end());
  }
}

void plan_build(Plan& plan, const Needs& needs, const Config& config,
                const Target& target, bool force) {
  Build build{.commit = target.commit,
              .installs = {},
              .has_submodules = updates_submodules(config, target),
              .from_scratch = force};
  for (const Install& install : needs.installs) {
    if (!install.facts.kept || force) {
      build.installs.push_back(install);
    }
  }
  for (const Check& check : needs.checks) {
    build.tried.push_back(check.component);
  }
  for (const Release& release : needs.releases) {
    build.tried.push_back(release.component);
  }
  if (!build.installs.empty() || !build.tried.empty()) {
    plan.steps.emplace_back(build);
  }
  plan.steps.insert(plan.steps.end(), needs.checks.begin(), needs.checks.end());
}

// Adds those of `steps` that are for `component`, whose environment is in its
// place.
template <typename OfComponent>
void add_in_place(Plan& plan, const std::vector<OfComponent>& steps,
                  const Component& component) {
  for (OfComponent step : steps) {
    if (step.component == component) {
      step.in_use = true;
      plan.steps.emplace_back(step);
    }
  }
}

// In the order of the original script: each component's install, then its
// restart.
void plan_in_place(Plan& plan, const Needs& needs) {
  for (const Component& component : plan.components) {
    const auto restart =
        std::ranges::find(needs.restarts, component, &Restart::component);
    for (const Install& install : needs.installs) {
      if (install.component.name == component.name &&
          !install.facts.manifests.empty()) {
        Install step = install;
        if (step.users.size() == 1) {
          step.directory = component.directory;
        }
        plan.steps.emplace_back(step);
      }
    }
    add_in_place(plan, needs.checks, component);
    add_in_place(plan, needs.releases, component);
    if (restart != needs.restarts.end()) {
      plan.steps.emplace_back(*restart);
    }
  }
}

// Exchanges all environments first, so that each service is down only once and
// only for its restart.
void plan_switch(Plan& plan, const Needs& needs) {
  // The record tells of one place: what is in another goes first.
  for (const PutAside& put_aside : needs.put_asides) {
    plan.steps.emplace_back(put_aside);
  }
  for (const Install& install : needs.installs) {
    plan.steps.emplace_back(Exchange{install.component, install.facts,
                                     install.reason, install.users});
  }
  for (const Restart& restart : needs.restarts) {
    plan.steps.emplace_back(restart);
  }
}

void add_skips(Plan& plan, const Needs& needs, bool unchanged) {
  for (const Skip& skip : needs.skips) {
    if (skip.unchanged == unchanged) {
      plan.steps.emplace_back(skip);
    }
  }
}

void name_components(Plan& plan, const Config& config, const Target& target) {
  for (const Component& component : config.components) {
    const ComponentFacts& facts = target.components.at(component.name);
    plan.components.push_back(real_component(component, facts));
    plan.homes.push_back(home_of(plan.components.back(), facts));
  }
}

}  // namespace

Plan make_plan(const Config& config, const Record& record,
               const Observation& seen, bool force) {
  Plan plan;
  plan_fetch(plan, config, record, seen);
  if (!seen.divergence) {
    plan.look_again = true;
    return plan;
  }
  if (!seen.target) {
    plan_moves(plan, config, record, seen);
    return plan;
  }
  const Target& target = *seen.target;
  require_submodules_known(config, record, target);
  plan.change = Change{.from = record.deployed.value_or(seen.current_commit),
                       .from_subject = target.from_subject,
                       .to = target.commit,
                       .to_subject = target.to_subject,
                       .to_author = target.to_author};
  name_components(plan, config, target);
  Plan moves;
  plan_moves(moves, config, record, seen);
  const bool has_move = std::ranges::any_of(moves.steps, moves_files);
  const Needs needs = needs_of(config, record, target, has_move, force);
  if (!needs.installs.empty() || !needs.checks.empty() ||
      !needs.releases.empty()) {
    plan.in_place_reason = seen.in_place_reason;
  }
  // The half that a stopped move left is taken back before anything is built.
  const auto after_restore =
      moves.steps.begin() + (target.half_written.empty() ? 0 : 1);
  plan.steps.insert(plan.steps.end(), moves.steps.begin(), after_restore);
  const bool staged = !seen.in_place_reason;
  if (staged) {
    if (!force && !(record.roll_back_to && has_moved(record))) {
      require_no_links(needs, config);
    }
    plan_build(plan, needs, config, target, force);
  }
  plan_last_before_move(plan, needs, config, record, staged, force);
  if (!target.replaced_submodules.empty()) {
    plan.steps.emplace_back(RemoveSubmodules{target.replaced_submodules});
  }
  plan.steps.insert(plan.steps.end(), after_restore, moves.steps.end());
  if (updates_submodules(config, target)) {
    plan.steps.emplace_back(UpdateSubmodules{target.submodules});
  }
  // Skip what goes on before a restart may fail: the way back leaves it alone.
  add_skips(plan, needs, true);
  if (staged) {
    plan_switch(plan, needs);
  } else {
    plan_in_place(plan, needs);
  }
  add_skips(plan, needs, false);
  if (!needs.verifications.empty()) {
    plan.steps.emplace_back(Verify{needs.verifications});
  }
  return plan;
}

std::string lost_ref(const CommitId& commit) {
  return fmt::format("{}/lost/{}", own_refs, commit);
}

}  // namespace deployment
