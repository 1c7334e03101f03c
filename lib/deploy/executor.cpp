#include "lib/deploy/executor.hpp"

#include <fmt/ranges.h>

#include "lib/checkout/work_tree.hpp"
#include "lib/deploy/checks.hpp"
#include "lib/deploy/report.hpp"
#include "lib/deploy/services.hpp"
#include "lib/environments/installs.hpp"
#include "lib/environments/stage.hpp"
#include "lib/model/transitions.hpp"

namespace deployment {
namespace {

// Takes back what a move that failed halfway wrote, so that no service runs a
// mixture of two commits.
void take_back_half_written(const CommitId& commit, Work& work) {
  try {
    Git& git = work.host.git;
    const auto written = half_written_files(
        git, commit,
        changes_of_stopped_move(git, git.current_commit(), commit));
    if (!written.empty()) {
      git.restore(written);
      work.host.log.info(fmt::format("the move failed halfway; took back {}",
                                     fmt::join(written, ", ")));
    }
    work.journal.write(transition::move_taken_back);
  } catch (const std::exception& error) {  // the next run tries again
    work.host.log.warning(one_line(error.what()));
  }
}

// Moves the work tree to `commit` by `move`, and records it before and after.
template <typename Move>
void move_to(const CommitId& commit, bool from_another, Work& work,
             const Move& move) {
  work.journal.write(transition::move_began, commit, from_another);
  try {
    move();
  } catch (const Error&) {
    take_back_half_written(commit, work);
    throw;
  }
  work.journal.write(transition::move_ended);
}

Sequence install_commands(const Install& install, const Host& host) {
  const Component& component = install.component;
  const std::string purpose = fmt::format("installing {}", component.name);
  Context context = host.logged(component.name, host.config.install_timeout);
  context.directory /= component.directory;
  switch (component.type) {
    case Component::Type::npm:
      return npm_install(purpose, context);
    case Component::Type::python:
      return rebuild_venv(purpose, context, install.facts.manifests);
  }
  return {};
}

// Lets a rollback find the environment in use, and know the one at `kept` for
// what took its place. One without a label gets it from the record, unless the
// record speaks of another one.
void prepare_way_back(const Component& component,
                      const std::filesystem::path& kept, Work& work) {
  Store& store = work.host.store;
  const bool is_way_back = work.journal.record().roll_back_to.has_value();
  auto components = work.journal.record().components;
  const ComponentRecord& known = components[component.name];
  const auto label = store.live_label(component);
  const bool is_told = label && (is_way_back || label->on_trial);
  if (store.is_folder(store.live(component)) &&
      store.has_interpreter(component) && !is_told &&
      (label || known.configured.empty())) {
    store.set_live_label(component,
                         {.inputs = label ? label->inputs : known.inputs,
                          .served = work.change->from});
  }
  if (!is_way_back) {
    store.begin_trial(kept);
  }
}

// Exchanges two folders on a file system that cannot do it at once.
void move_in_turn(const Component& component, const std::filesystem::path& kept,
                  Host& host) {
  host.log.info(
      fmt::format("{}: the file system cannot exchange two folders; they are "
                  "moved one after the other",
                  component.name));
  const std::filesystem::path live = host.store.live(component);
  const auto here = [&](const std::filesystem::path& path) {
    return host.checkout->relative(path).string();
  };
  Command move{
      .purpose = "moving " + live.string(),
      .program = "mv",
      .arguments = {"-T", "--", here(live),
                    here(host.store.free_place(component))},
      .context = host.logged(component.name, host.config.install_timeout)};
  host.runner.run_checked(move);
  move.arguments = {"-T", "--", here(kept), here(live)};
  host.runner.run_checked(move);
}

// One function for each kind of step.

void apply_step(const RemoveLock& step, Work& work) {
  work.host.git.remove_file(step.path);
}

void apply_step(const Fetch& step, Work& work) {
  work.host.git.fetch();
  if (!work.host.git.has_commit(step.commit)) {
    throw Error(
        fmt::format("fetched {}, but it does not contain {}",
                    work.host.config.branch, step.commit),
        "the remote's branch was moved back meanwhile; the next run looks "
        "again");
  }
}

void apply_step(const Restore& step, Work& work) {
  work.host.git.restore(step.paths);
}

void apply_step(const Checkout& step, Work& work) {
  if (step.keep) {
    work.host.git.keep(lost_ref(*step.keep), *step.keep);
  }
  move_to(step.commit, step.from_another, work,
          [&] { work.host.git.checkout(); });
}

void apply_step(const FastForward& step, Work& work) {
  move_to(step.to, true, work, [&] { work.host.git.fast_forward(step.to); });
}

void apply_step(const Reset& step, Work& work) {
  if (step.keep) {
    work.host.git.keep(lost_ref(step.from), step.from);
  }
  move_to(step.to, true, work, [&] { work.host.git.reset(step.to); });
}

void apply_step(const RemoveSubmodules& step, Work& work) {
  work.journal.write(transition::submodules_began);
  work.host.git.remove_submodules(step.paths);
}

void apply_step(const UpdateSubmodules& /*step*/, Work& work) {
  work.journal.write(transition::submodules_began);
  work.host.git.update_submodules();
}

void apply_step(const Install& step, Work& work) {
  const std::string& name = step.component.name;
  work.journal.write(transition::install_began, name);
  work.host.store.remove_live_label(step.component);
  const Sequence commands = install_commands(step, work.host);
  require_success({&commands, 1},
                  work.host.runner.run_sequences({&commands, 1}));
  work.host.store.set_live_label(step.component, {.inputs = step.facts.inputs});
  work.journal.write(transition::environment_ready, name, step.facts.inputs);
}

void apply_step(const Build& step, Work& work) {
  Host& host = work.host;
  Layout layout{.commit = step.commit,
                .has_submodules = step.has_submodules,
                .components = step.tried,
                .copied = {read_by_builds.begin(), read_by_builds.end()}};
  layout.copied.insert(layout.copied.end(), host.config.copy.begin(),
                       host.config.copy.end());
  for (const Install& install : step.installs) {
    layout.components.push_back(install.component);
  }
  const auto [mounts, left_out] =
      lay_out(layout, host.git, host.store, host.runner, host.as_user);
  if (!left_out.empty()) {
    host.log.warning(
        fmt::format("not copied for the build: {}", fmt::join(left_out, ", ")));
  }
  std::vector<Sequence> builds;
  for (const Install& install : step.installs) {
    copy_node_modules(install.component, host.store, host.runner, host.as_user,
                      host.log);
    Sequence& build = builds.emplace_back(install_commands(install, host));
    for (Command& command : build) {
      command.context.mounts = mounts;
    }
  }
  const auto results = host.runner.run_sequences(builds);
  for (std::size_t i = 0; i < builds.size(); ++i) {
    if (succeeded(results[i])) {  // kept for the next try if another one failed
      const Install& install = step.installs[i];
      host.store.keep_staged(install.component, install.facts.inputs);
    }
  }
  if (step.tried.empty()) {
    host.store.remove_stage();
  }
  require_success(builds, results);
  if (!step.tried.empty()) {
    // Leave out what installs wrote beside the environments, as the switch
    // will.
    layout.components = step.tried;
    work.stage = builds.empty() ? mounts
                                : lay_out(layout, host.git, host.store,
                                          host.runner, host.as_user)
                                      .mounts;
  }
}

void apply_step(const Check& step, Work& work) {
  run_checks(step, work);
}

void apply_step(const Release& step, Work& work) {
  run_releases(step, work);
}

void apply_step(const Exchange& step, Work& work) {
  const Component& component = step.component;
  Store& store = work.host.store;
  const std::filesystem::path kept =
      kept_environment(component, step.facts.inputs, work);
  prepare_way_back(component, kept, work);
  work.journal.write(transition::exchange_began, component.name);
  if (!store.exchange(component, kept)) {
    move_in_turn(component, kept, work.host);
  }
  Inputs inputs = step.facts.inputs;
  if (inputs.empty()) {  // the commit has nothing of the component
    inputs = store.live_label(component).value_or(Label{}).inputs;
  }
  work.journal.write(transition::environment_ready, component.name, inputs);
}

void apply_step(const PutAside& step, Work& work) {
  work.journal.write(transition::exchange_began, step.component.name);
  work.host.store.put_aside(step.component);
  work.journal.write(transition::environment_ready, step.component.name,
                     Inputs{});
}

void restart(const std::string& unit, bool reloads, Work& work) {
  UnitState& before = work.states_before[unit];
  if (reloads) {  // it may have been started again while others built
    before = work.host.systemd.state_of(unit);
  }
  // A unit that systemd had to start again begins anew.
  if (reloads && before.active_state == "active" && before.restarts == 0) {
    work.reloaded.insert(unit);
    work.host.systemd.reload(unit);
  } else {
    work.reloaded.erase(unit);
    work.host.systemd.restart(unit, before);
  }
}

void apply_step(const Restart& step, Work& work) {
  const std::string& name = step.component.name;
  work.journal.write(transition::restart_began, name);
  for (const std::string& unit : step.component.services) {
    try {
      restart(unit, step.reloads, work);
    } catch (const std::exception& error) {
      if (!step.may_fail) {
        throw;
      }
      work.host.log.warning(one_line(error.what()));
    }
  }
  work.journal.write(transition::restart_ended, name, work.change->to);
}

void apply_step(const Skip& step, Work& work) {
  if (step.environment_is_gone) {
    work.journal.write(transition::environment_lost, step.component.name);
  }
  work.journal.write(transition::skipped, step.component.name, work.change->to);
}

void apply_step(const Verify& step, Work& work) {
  verify_services(step.components, work);
}

// Removes the stage before the first step that does not work in it.
void leave_stage(const Step& step, Work& work) {
  const bool works_there = std::holds_alternative<Check>(step) ||
                           std::holds_alternative<Release>(step);
  if (!work.stage.empty() && !works_there) {
    work.stage.clear();
    work.host.store.remove_stage();
  }
}

}  // namespace

void carry_out(const Step& step, Work& work) {
  leave_stage(step, work);
  std::visit([&](const auto& s) { apply_step(s, work); }, step);
}

}  // namespace deployment
