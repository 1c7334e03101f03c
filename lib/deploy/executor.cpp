#include "lib/deploy/executor.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "lib/checkout/work_tree.hpp"
#include "lib/deploy/builds.hpp"
#include "lib/deploy/checks.hpp"
#include "lib/deploy/gate.hpp"
#include "lib/deploy/outputs.hpp"
#include "lib/deploy/report.hpp"
#include "lib/deploy/services.hpp"
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
  // An output that this commit does not track may have left for another one.
  if (commit == work.change->to) {
    take_back_halves(work.host, work.journal.record());
  }
}

std::string root_of(const ComponentFacts& facts) {
  return facts.root.value_or("").string();
}

// Returns the commit that the environment in use has served; nullopt: one that
// was verified, and a run that was killed had not said so yet.
std::optional<CommitId> served_until(const ComponentRecord& known,
                                     const CommitId& from) {
  return known.commit.value_or(from) == from ? std::optional(from)
                                             : std::nullopt;
}

// Lets a rollback find the environment in use, and know the one at `kept` for
// what took its place. One without a label gets it from the record, unless the
// record speaks of another one, or it is one that a rollback leaves: that
// served nothing that one goes back to.
void prepare_way_back(const Component& component,
                      const std::filesystem::path& kept,
                      const ComponentFacts& facts, Work& work) {
  Store& store = work.host.store;
  const bool is_way_back = work.journal.record().roll_back_to.has_value();
  auto components = work.journal.record().components;
  const ComponentRecord& known = components[component.name];
  const auto label = store.live_label(component);
  const bool is_told = label && (is_way_back || label->on_trial);
  const bool is_known = known.root == root_of(facts);
  const bool is_nameless = !label && (returns(work.journal.record()) ||
                                      (is_known && !known.configured.empty()));
  if (store.is_folder(store.live(component)) &&
      store.has_interpreter(component) && !is_told && !is_nameless) {
    Label leaving =
        label.value_or(Label{.inputs = is_known ? known.inputs : Inputs{}});
    leaving.served = served_until(known, work.change->from);
    store.set_live_label(component, leaving);
  }
  if (!is_way_back) {
    store.begin_trial(kept);
  }
}

// Notes where the environment will be before it is there: who goes back after
// a run that was killed looks for it there.
void begin_exchange(const std::vector<std::string>& users,
                    const std::optional<std::string>& root, Work& work) {
  for (const std::string& name : users) {
    work.journal.write(transition::exchange_began, name, root);
  }
}

void note_ready(const std::vector<std::string>& users,
                const ComponentFacts& facts, const Inputs& inputs,
                bool has_outputs, Work& work) {
  for (const std::string& name : users) {
    work.journal.write(transition::environment_ready, name, inputs,
                       root_of(facts), has_outputs);
  }
}

// One function for each kind of step.

void apply_step(const RemoveLock& step, Work& work) {
  work.host.git.remove_file(step.path);
}

void apply_step(const Fetch& step, Work& work) {
  if (step.is_here) {  // and was looked at
    work.host.git.fetch({});
  } else {
    work.host.fetch(work.journal.record());
  }
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
  const std::vector<std::string> users = users_of(step);
  for (const std::string& name : users) {
    work.journal.write(transition::install_began, name, root_of(step.facts));
  }
  work.host.store.remove_live_label(step.component);
  const Sequence commands = commands_of(step, work.host);
  require_success({&commands, 1},
                  work.host.runner.run_sequences({&commands, 1}));
  work.host.store.set_live_label(step.component, {.inputs = step.facts.inputs});
  note_ready(users, step.facts, step.facts.inputs, false, work);
}

void apply_step(const Build& step, Work& work) {
  build_aside(step, work);
}

void apply_step(const Check& step, Work& work) {
  run_checks(step, work);
}

void apply_step(const Release& step, Work& work) {
  run_releases(step, work);
}

void apply_step(const Gate& /*step*/, Work& work) {
  ask_gate(work.host, work.journal.record(), work.change->from,
           work.change->to);
}

void apply_step(const Exchange& step, Work& work) {
  const Component& component = step.component;
  Store& store = work.host.store;
  const std::filesystem::path kept =
      kept_environment(component, step.facts, work);
  prepare_way_back(component, kept, step.facts, work);
  const std::vector<std::string> users = users_of(step);
  begin_exchange(users, root_of(step.facts), work);
  exchange(component, kept, work.host);
  Inputs inputs = step.facts.inputs;
  const Label label = store.live_label(component).value_or(Label{});
  if (inputs.empty()) {  // the commit has nothing of the component
    inputs = label.inputs;
  }
  note_ready(users, step.facts, inputs, !label.outputs.empty(), work);
}

// Puts what was in use at that place before in its place, on the way back.
void apply_step(const PutAside& step, Work& work) {
  Store& store = work.host.store;
  const bool is_way_back = work.journal.record().roll_back_to.has_value();
  auto label = store.live_label(step.component);
  if (label && !label->on_trial && !is_way_back) {
    auto components = work.journal.record().components;
    label->served =
        served_until(components[step.component.name], work.change->from);
    store.set_live_label(step.component, *label);
  }
  const std::vector<std::string> users = users_of(step);
  begin_exchange(users, std::nullopt, work);
  const auto kept = is_way_back
                        ? store.find(step.component, {}, work.change->to,
                                     Store::Trials::left_out, step.tracked)
                        : std::nullopt;
  if (kept) {
    exchange(step.component, *kept, work.host);
  } else {
    store.put_aside(step.component, step.tracked);
  }
  for (const std::string& name : users) {
    work.journal.write(transition::environment_lost, name);
  }
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
  if (!step.unchanged && !step.has_no_service) {
    say_what_goes_on(step.component, work);
  }
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
                           std::holds_alternative<Gate>(step) ||
                           std::holds_alternative<Release>(step);
  if (!work.stage.empty() && !works_there) {
    work.stage.clear();
    work.host.store.remove_stage();
  }
}

bool installs_anew(const Plan& plan) {
  return std::ranges::any_of(plan.steps, [](const Step& step) {
    const auto* build = std::get_if<Build>(&step);
    return build != nullptr && !build->installs.empty();
  });
}

// Looks whether all can be moved, before the gate is asked and anything is
// released, and before checks when nothing is built for them; and makes way
// before the first step that moves something.
void look_before_it_moves(const Step& step, Work& work) {
  const bool prepares = std::holds_alternative<RemoveLock>(step) ||
                        std::holds_alternative<Fetch>(step) ||
                        std::holds_alternative<Restore>(step);
  const bool builds = std::holds_alternative<Build>(step) ||
                      std::holds_alternative<Check>(step);
  const bool moves = !builds && !std::holds_alternative<Gate>(step) &&
                     !std::holds_alternative<Release>(step);
  if (work.plan == nullptr || prepares ||
      (builds && installs_anew(*work.plan))) {
    return;
  }
  const bool is_way_back = work.journal.record().roll_back_to.has_value();
  if (!is_way_back && !std::exchange(work.has_looked, true)) {
    look_at_outputs(*work.plan, work);
  }
  if (moves) {
    make_way(*std::exchange(work.plan, nullptr), work);
  }
}

}  // namespace

void carry_out(const Step& step, Work& work) {
  leave_stage(step, work);
  look_before_it_moves(step, work);
  std::visit([&](const auto& s) { apply_step(s, work); }, step);
}

}  // namespace deployment
