// The steps of a plan, as they are carried out.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "lib/base/text.hpp"
#include "lib/deploy/run.hpp"
#include "lib/environments/npm.hpp"
#include "lib/environments/stage.hpp"
#include "lib/environments/venv.hpp"

namespace deployment {

void Run::apply_step(const RemoveLock& step) {
  git_.remove_file(step.path);
}

void Run::apply_step(const Fetch& step) {
  git_.fetch();
  if (!git_.has_commit(step.commit)) {
    throw Error(
        fmt::format("{} was fetched and {} did not come with it",
                    config_.branch, step.commit),
        "the remote's branch was moved back meanwhile; the next run looks "
        "again");
  }
}

void Run::apply_step(const Restore& step) {
  git_.restore(step.paths);
}

template <typename Move>
void Run::move_to(const std::string& commit, const Move& move) {
  record_.moving_to = commit;
  save();
  try {
    move();
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    take_back_what_was_written(commit);
    throw;
  }
  record_.moving_to.clear();
  reach(Reached::moved);
  save();
}

// Of a move that failed halfway, so that no mixture of two commits serves.
void Run::take_back_what_was_written(const std::string& commit) {
  try {
    const auto written =
        git_.begun_from(commit, git_.in_the_way(git_.current_commit(), commit));
    if (!written.empty()) {
      git_.restore(written);
      log_.info(escaped(
          fmt::format("{}: took back {}", doing_, fmt::join(written, ", "))));
    }
    record_.moving_to.clear();
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {  // the next run tries again
    log_.warning(one_line(error.what()));
  }
}

void Run::apply_step(const Checkout& step) {
  move_to(step.commit, [&] { git_.checkout(); });
}

void Run::apply_step(const FastForward& step) {
  move_to(step.to, [&] { git_.fast_forward(step.to); });
}

void Run::apply_step(const Reset& step) {
  if (step.keep) {
    git_.keep(lost_ref(step.from), step.from);
  }
  move_to(step.to, [&] { git_.reset(step.to); });
}

// Until it has succeeded, nothing is known of the environment.
void Run::apply_step(const Install& step) {
  ComponentRecord& component = record_.components[step.component.name];
  component.inputs.clear();
  save();
  store_.remove_live_label(step.component);
  const Sequence commands = install_commands(step);
  require_success({&commands, 1}, runner_.run_sequences({&commands, 1}));
  component.inputs = step.facts.inputs;
  save();
}

Sequence Run::install_commands(const Install& step) const {
  const Component& component = step.component;
  Command command = prototype(component.name, config_.install_timeout);
  command.purpose = fmt::format("installing {}", component.name);
  command.directory = config_.repo_dir / component.directory;
  switch (component.type) {
    case Component::Type::npm:
      return npm_install(command);
    case Component::Type::python:
      return rebuild_venv(command, step.facts.manifests);
  }
  return {};
}

void Run::apply_step(const Build& step) {
  std::vector<Component> components;
  for (const Install& install : step.installs) {
    components.push_back(install.component);
  }
  const std::vector<Mount> mounts =
      lay_out(step.commit, components, git_, store_, runner_, as_user_, log_);
  std::vector<Sequence> builds;
  for (const Install& install : step.installs) {
    Sequence& build = builds.emplace_back(install_commands(install));
    for (Command& command : build) {
      command.mounts = mounts;
    }
  }
  const auto results = runner_.run_sequences(builds);
  for (std::size_t i = 0; i < builds.size(); ++i) {
    if (succeeded(results[i])) {  // kept though another one may have failed
      const Install& install = step.installs[i];
      store_.keep_staged(install.component, install.facts.inputs);
    }
  }
  store_.remove_stage();
  require_success(builds, results);
}

void Run::apply_step(const Exchange& step) {
  ComponentRecord& component = record_.components[step.component.name];
  // What is in use must be found again by a rollback.
  if (!std::filesystem::exists(store_.live(step.component))) {
    first_environment_ = true;
  } else if (!store_.live_label(step.component)) {
    store_.set_live_label(step.component,
                          {.inputs = component.inputs, .served = from_});
  }
  component.commit.clear();
  reach(Reached::moved);
  save();
  exchange(step);
  component.inputs = step.facts.inputs;
  save();
}

void Run::exchange(const Exchange& step) {
  const auto kept = store_.find(step.component, step.facts.inputs, to_);
  if (!kept) {
    throw Error(fmt::format("there is no {} of {} to put into use",
                            environment_name(step.component.type),
                            step.component.name));
  }
  if (store_.exchange(step.component, *kept)) {
    return;
  }
  log_.info(
      fmt::format("{}: the file system cannot exchange two folders; "
                  "they are moved one after the other",
                  step.component.name));
  const std::filesystem::path live = store_.live(step.component);
  Command move = prototype(step.component.name, config_.install_timeout);
  move.purpose = "moving " + live.string();
  move.program = "mv";
  move.arguments = {"-T", "--", live, store_.free_place(step.component)};
  runner_.run_checked(move);
  move.arguments = {"-T", "--", *kept, live};
  runner_.run_checked(move);
}

void Run::apply_step(const Restart& step) {
  const std::string& unit = step.component.service;
  ComponentRecord& component = record_.components[step.component.name];
  states_before_[unit] = systemd_.state_of(unit);
  component.commit.clear();
  component.restarted.clear();
  reach(Reached::restarted);
  save();
  systemd_.reset_failed(unit);
  systemd_.restart(unit);
  component.restarted = to_;
  save();
}

void Run::apply_step(const Skip& step) {
  record_.components[step.component.name].commit = to_;
}

void Run::apply_step(const Verify& step) {
  const auto troubles =
      verify(config_, step.components, states_before_, systemd_, runner_,
             as_this_process(config_.health_timeout));
  std::vector<std::string> lines;
  std::vector<std::string> advice;
  for (const Component& component : step.components) {
    ComponentRecord& record = record_.components[component.name];
    const auto trouble = troubles.find(component.name);
    if (trouble == troubles.end() && !troubles.empty()) {
      continue;  // restarted, and not watched to the end
    }
    record.restarted.clear();
    if (trouble == troubles.end()) {
      record.commit = to_;
      continue;
    }
    lines.push_back(fmt::format("{} was restarted and did not stay up: {}",
                                component.service, trouble->second));
    advice.push_back(fmt::format(
        "look at: systemctl status {0}; journalctl -u {0}", component.service));
  }
  save();
  if (!lines.empty()) {
    throw Error(fmt::format("{}", fmt::join(lines, "\n")),
                fmt::format("{}", fmt::join(advice, "\n")));
  }
}

}  // namespace deployment
