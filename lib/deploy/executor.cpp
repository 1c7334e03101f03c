#include "lib/deploy/executor.hpp"

#include <fmt/ranges.h>

#include "lib/base/text.hpp"
#include "lib/checkout/work_tree.hpp"
#include "lib/deploy/report.hpp"
#include "lib/environments/installs.hpp"
#include "lib/environments/stage.hpp"
#include "lib/model/transitions.hpp"

namespace deployment {

void Executor::apply(const Step& step) {
  std::visit([this](const auto& s) { apply_step(s); }, step);
}

void Executor::apply_step(const RemoveLock& step) {
  host_.git.remove_file(step.path);
}

void Executor::apply_step(const Fetch& step) {
  host_.git.fetch();
  if (!host_.git.has_commit(step.commit)) {
    throw Error(
        fmt::format("fetched {}, but it does not contain {}",
                    host_.config.branch, step.commit),
        "the remote's branch was moved back meanwhile; the next run looks "
        "again");
  }
}

void Executor::apply_step(const Restore& step) {
  host_.git.restore(step.paths);
}

template <typename Move>
void Executor::move_to(const CommitId& commit, const Move& move) {
  journal_.write(transition::move_began, commit);
  try {
    move();
  } catch (const Error&) {
    take_back_half_written(commit);
    throw;
  }
  journal_.write(transition::move_ended);
}

// After a move that failed halfway, so that no mixture of two commits serves.
void Executor::take_back_half_written(const CommitId& commit) {
  try {
    Git& git = host_.git;
    const auto written = half_written_files(
        git, commit, changes_in_the_way(git, git.current_commit(), commit));
    if (!written.empty()) {
      git.restore(written);
      host_.log.info(fmt::format("the move failed halfway; took back {}",
                                 fmt::join(written, ", ")));
    }
    journal_.write(transition::move_taken_back);
  } catch (const Error& error) {  // the next run tries again
    host_.log.warning(one_line(error.what()));
  }
}

void Executor::apply_step(const Checkout& step) {
  move_to(step.commit, [&] { host_.git.checkout(); });
}

void Executor::apply_step(const FastForward& step) {
  move_to(step.to, [&] { host_.git.fast_forward(step.to); });
}

void Executor::apply_step(const Reset& step) {
  if (step.keep) {
    host_.git.keep(lost_ref(step.from), step.from);
  }
  move_to(step.to, [&] { host_.git.reset(step.to); });
}

void Executor::apply_step(const Install& step) {
  const std::string& name = step.component.name;
  journal_.write(transition::install_began, name);
  host_.store.remove_live_label(step.component);
  const Sequence commands = install_commands(step);
  require_success({&commands, 1}, host_.runner.run_sequences({&commands, 1}));
  journal_.write(transition::install_ended, name, step.facts.inputs);
}

Sequence Executor::install_commands(const Install& step) const {
  const Component& component = step.component;
  const std::string purpose = fmt::format("installing {}", component.name);
  Context context = host_.logged(component.name, host_.config.install_timeout);
  context.directory /= component.directory;
  switch (component.type) {
    case Component::Type::npm:
      return npm_install(purpose, context);
    case Component::Type::python:
      return rebuild_venv(purpose, context, step.facts.manifests);
  }
  return {};
}

void Executor::apply_step(const Build& step) {
  std::vector<Component> components;
  for (const Install& install : step.installs) {
    components.push_back(install.component);
  }
  const std::vector<Mount> mounts =
      lay_out(step.commit, components, host_.git, host_.store, host_.runner,
              host_.as_user, host_.log);
  std::vector<Sequence> builds;
  for (const Install& install : step.installs) {
    Sequence& build = builds.emplace_back(install_commands(install));
    for (Command& command : build) {
      command.context.mounts = mounts;
    }
  }
  const auto results = host_.runner.run_sequences(builds);
  for (std::size_t i = 0; i < builds.size(); ++i) {
    if (succeeded(results[i])) {  // kept for the next try if another one failed
      const Install& install = step.installs[i];
      host_.store.keep_staged(install.component, install.facts.inputs);
    }
  }
  host_.store.remove_stage();
  require_success(builds, results);
}

void Executor::apply_step(const Exchange& step) {
  const std::string& name = step.component.name;
  // A rollback must find what is in use now.
  if (!std::filesystem::exists(host_.store.live(step.component))) {
    made_first_environment_ = true;
  } else if (!host_.store.live_label(step.component)) {
    const auto& components = journal_.record().components;
    const auto found = components.find(name);
    host_.store.set_live_label(
        step.component,
        {.inputs = found == components.end() ? Inputs{} : found->second.inputs,
         .served = change_->from});
  }
  journal_.write(transition::exchange_began, name);
  exchange(step);
  journal_.write(transition::exchange_ended, name, step.facts.inputs);
}

void Executor::exchange(const Exchange& step) {
  const Component& component = step.component;
  const auto kept = host_.store.find(component, step.facts.inputs, change_->to);
  if (!kept) {
    throw Error(fmt::format("cannot find the {} of {} to put into use",
                            environment_name(component.type), component.name));
  }
  if (host_.store.exchange(component, *kept)) {
    return;
  }
  host_.log.info(
      fmt::format("{}: the file system cannot exchange two folders; they are "
                  "moved one after the other",
                  component.name));
  const std::filesystem::path live = host_.store.live(component);
  Command move{
      .purpose = "moving " + live.string(),
      .program = "mv",
      .arguments = {"-T", "--", live, host_.store.free_place(component)},
      .context = host_.logged(component.name, host_.config.install_timeout)};
  host_.runner.run_checked(move);
  move.arguments = {"-T", "--", *kept, live};
  host_.runner.run_checked(move);
}

void Executor::apply_step(const Restart& step) {
  const std::string& unit = step.component.service;
  const std::string& name = step.component.name;
  states_before_[unit] = host_.systemd.state_of(unit);
  journal_.write(transition::restart_began, name);
  host_.systemd.restart(unit);
  journal_.write(transition::restart_ended, name, change_->to);
}

void Executor::apply_step(const Skip& step) {
  journal_.write(transition::skipped, step.component.name, change_->to);
}

void Executor::apply_step(const Verify& step) {
  const auto troubles = verify(host_.config, step.components, states_before_,
                               host_.systemd, host_.runner, host_.as_user);
  std::map<std::string, bool> stayed_up;
  std::vector<std::string> lines;
  std::vector<std::string> advice;
  for (const Component& component : step.components) {
    const auto trouble = troubles.find(component.name);
    if (trouble != troubles.end()) {
      stayed_up[component.name] = false;
      lines.push_back(fmt::format("{} was restarted but did not stay up: {}",
                                  component.service, trouble->second));
      advice.push_back(how_to_examine(component.service));
    } else if (troubles.empty()) {  // otherwise it was not watched to the end
      stayed_up[component.name] = true;
    }
  }
  journal_.write(transition::verify_ended, stayed_up, change_->to);
  if (!lines.empty()) {
    throw Error(fmt::format("{}", fmt::join(lines, "\n")),
                fmt::format("{}", fmt::join(advice, "\n")));
  }
}

}  // namespace deployment
