#include "lib/plan/plan.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/model/paths.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// A lock may be removed when no git holds it and it is known to be a leftover.
RemoveLock removal_of(const GitLock& lock, const Config& config,
                      const Record& record, const Observation& seen) {
  const std::string path = lock.path.string();
  if (lock.holder) {
    throw Error(
        fmt::format(
            "{} exists, and git (process {}) is running in the checkout", path,
            *lock.holder),
        "wait until it is done; the next run continues");
  }
  if (record.pending && record.pending->running) {
    return {lock.path, "a run that was killed left it"};
  }
  if (lock.age <= config.git_timeout) {
    throw Error(
        fmt::format("{} has existed for {}, but no git process is running in "
                    "the checkout",
                    path, describe_duration(lock.age)),
        fmt::format("it will be removed when it is older than {}; or: {}",
                    describe_duration(config.git_timeout),
                    command_as(seen.git_user, "rm " + quoted(path))));
  }
  return {lock.path,
          fmt::format("it is {} old, and no git process is running in "
                      "the checkout",
                      describe_duration(lock.age))};
}

bool is_lock_file_of_npm(const Config& config, const std::string& path) {
  return std::ranges::any_of(config.components, [&](const Component& one) {
    return one.type == Component::Type::npm &&
           (one.directory / "package-lock.json").lexically_normal() == path;
  });
}

// Local changes in the way may be given up when this program or npm made them.
Restore restoration_of(const Config& config, const Observation& seen) {
  const Target& target = *seen.target;
  const auto is_half_written = [&](const std::string& path) {
    return std::ranges::count(target.half_written, path) != 0;
  };
  Paths foreign;
  for (const std::string& path : target.in_the_way) {
    if (!is_half_written(path) && !is_lock_file_of_npm(config, path)) {
      foreign.push_back(escaped(path));
    }
  }
  if (!foreign.empty()) {
    throw Error(
        fmt::format("local changes would be overwritten; nothing was "
                    "changed:\n{}",
                    fmt::join(foreign, "\n")),
        "commit them, or put them aside: " +
            command_as(seen.git_user, "git -C " + quoted(config.repo_dir) +
                                          " stash --include-untracked"));
  }
  return {target.in_the_way,
          target.half_written.empty()
              ? "npm rewrites it, and its changes would block the move"
              : "an earlier run was stopped while it wrote them"};
}

[[noreturn]] void refuse_divergence(const Config& config,
                                    const Observation& seen,
                                    const CommitId& local) {
  const CommitId& tip = seen.heads.tip;
  const Divergence& divergence = *seen.divergence;
  throw Error(
      fmt::format("branch {0} diverged: the checkout is at {1} ({2} that {3} "
                  "does not have), {3} is at {4} ({5} that the checkout does "
                  "not have); nothing was changed",
                  config.branch, local, counted(divergence.ours, "commit"),
                  config.remote, tip, counted(divergence.theirs, "commit")),
      fmt::format(
          "push the checkout's commits, or take the remote's: {}; or set "
          "on-divergence = reset",
          command_as(seen.git_user,
                     fmt::format("git -C {} reset --keep {}",
                                 quoted(config.repo_dir), tip))));
}

// Moves the branch to `to`, unless it is there.
void plan_move(Plan& plan, const Config& config, const Record& record,
               const Observation& seen, const CommitId& to) {
  const std::optional<CommitId>& local = local_commit(seen.heads);
  const Divergence& divergence = *seen.divergence;
  if (record.roll_back_to) {
    if (local && local != to) {
      plan.steps.emplace_back(
          Reset{.from = *local, .to = to, .reason = "roll back"});
    }
  } else if (divergence.theirs == 0) {
    return;
  } else if (divergence.ours == 0) {
    plan.steps.emplace_back(FastForward{.from = local, .to = to});
  } else if (config.on_divergence == OnDivergence::reset) {
    plan.steps.emplace_back(
        Reset{.from = *local,
              .to = to,
              .reason = "the branch diverged and on-divergence = reset",
              .keep = true});
  } else {
    refuse_divergence(config, seen, *local);
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
    plan.steps.emplace_back(Checkout{
        .from = seen.current_branch, .to = config.branch, .commit = local});
  }
  plan_move(plan, config, record, seen,
            seen.target ? seen.target->commit : local);
}

std::string describe_input(const std::string& name, const std::string& before,
                           const std::string& after) {
  if (name == "python3") {
    return fmt::format("python3 was {} and is {}", before, after);
  }
  if (before.empty()) {
    return fmt::format("{} is new ({})", name, abbreviated(after));
  }
  if (after.empty()) {
    return fmt::format("{} is gone (was {})", name, abbreviated(before));
  }
  return fmt::format("{} changed ({} -> {})", name, abbreviated(before),
                     abbreviated(after));
}

// Says why an environment made from `before` does not serve `after`.
std::string describe_inputs(Inputs before, Inputs after) {
  std::vector<std::string> parts;
  if (before.empty()) {
    for (const auto& [name, value] : after) {
      parts.push_back(fmt::format("{} ({})", name, abbreviated(value)));
    }
    return fmt::format("no install is recorded for {}", fmt::join(parts, ", "));
  }
  Inputs all = before;
  all.insert(after.begin(), after.end());
  for (const auto& [name, unused] : all) {
    if (before[name] != after[name]) {
      parts.push_back(describe_input(name, before[name], after[name]));
    }
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// Says why a component needs another environment; nullopt when it does not. The
// label of the environment in use counts more than the record.
std::optional<std::string> reason_to_install(const ComponentFacts& facts,
                                             const ComponentRecord& before,
                                             const CommitId& commit,
                                             bool force) {
  if (force) {
    return "--force";
  }
  if (facts.live && serves(*facts.live, facts.inputs, commit)) {
    return std::nullopt;
  }
  const bool known = facts.live && !facts.live->inputs.empty();
  const Inputs& made_from = known ? facts.live->inputs : before.inputs;
  if (made_from == facts.inputs) {
    return std::nullopt;
  }
  return describe_inputs(made_from, facts.inputs);
}

// The needs of the components, in their order.
struct Needs {
  std::vector<Install> installs;
  std::vector<Component> restarts;
  std::vector<Component> verifications;
  std::vector<Skip> skips;
};

Needs needs_of(const Config& config, const Record& record, const Target& target,
               bool force) {
  Needs needs;
  for (const Component& component : config.components) {
    const ComponentFacts& facts = target.components.at(component.name);
    const auto found = record.components.find(component.name);
    const ComponentRecord before =
        found == record.components.end() ? ComponentRecord{} : found->second;
    if (facts.manifests.empty()) {
      if (before.commit != target.commit) {
        needs.skips.push_back({component});
      }
      continue;
    }
    const auto reason = reason_to_install(facts, before, target.commit, force);
    if (reason) {
      needs.installs.push_back({component, facts, *reason});
    }
    if (!reason && before.commit == target.commit) {
      continue;
    }
    needs.verifications.push_back(component);
    if (reason || before.unverified_commit != target.commit) {
      needs.restarts.push_back(component);
    }
  }
  return needs;
}

void plan_build(Plan& plan, const Needs& needs, const CommitId& commit,
                bool force) {
  Build build{.commit = commit, .installs = {}};
  for (const Install& install : needs.installs) {
    if (!install.facts.kept || force) {
      build.installs.push_back(install);
    }
  }
  if (!build.installs.empty()) {
    plan.steps.emplace_back(build);
  }
}

// In the order of the original script: each component's install, then its
// restart.
void plan_in_place(Plan& plan, const Needs& needs) {
  for (const Component& component : needs.restarts) {
    for (const Install& install : needs.installs) {
      if (install.component == component) {
        plan.steps.emplace_back(install);
      }
    }
    plan.steps.emplace_back(Restart{component});
  }
}

// Exchanges all environments first, so that each service is down only once and
// only for its restart.
void plan_switch(Plan& plan, const Needs& needs) {
  for (const Install& install : needs.installs) {
    plan.steps.emplace_back(
        Exchange{install.component, install.facts, install.reason});
  }
  for (const Component& component : needs.restarts) {
    plan.steps.emplace_back(Restart{component});
  }
}

}  // namespace

Plan make_plan(const Config& config, const Record& record,
               const Observation& seen, bool force) {
  Plan plan;
  for (const GitLock& lock : seen.git_locks) {
    plan.steps.emplace_back(removal_of(lock, config, record, seen));
  }
  if (!seen.tip_is_here) {
    plan.steps.emplace_back(Fetch{seen.heads.tip});
  }
  if (!seen.divergence) {
    plan.look_again = true;
    return plan;
  }
  if (!seen.target) {
    plan_moves(plan, config, record, seen);
    return plan;
  }
  const Target& target = *seen.target;
  plan.change = Change{.from = record.deployed.value_or(seen.current_commit),
                       .from_subject = target.from_subject,
                       .to = target.commit,
                       .to_subject = target.to_subject};
  const Needs needs = needs_of(config, record, target, force);
  if (!needs.installs.empty()) {
    plan.in_place_reason = seen.in_place_reason;
  }
  const bool staged = !seen.in_place_reason;
  if (staged) {
    plan_build(plan, needs, target.commit, force);
  }
  plan_moves(plan, config, record, seen);
  if (staged) {
    plan_switch(plan, needs);
  } else {
    plan_in_place(plan, needs);
  }
  for (const Skip& skip : needs.skips) {
    plan.steps.emplace_back(skip);
  }
  if (!needs.verifications.empty()) {
    plan.steps.emplace_back(Verify{needs.verifications});
  }
  return plan;
}

std::string lost_ref(const CommitId& commit) {
  return fmt::format("{}/lost/{}", own_refs, commit);
}

}  // namespace deployment
