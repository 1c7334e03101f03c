#include "lib/deploy/builds.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "lib/base/text.hpp"
#include "lib/deploy/checks.hpp"
#include "lib/deploy/report.hpp"
#include "lib/deploy/stage_contents.hpp"
#include "lib/environments/installs.hpp"
#include "lib/environments/outputs.hpp"
#include "lib/environments/stage.hpp"
#include "lib/plan/homes.hpp"
#include "lib/plan/inputs.hpp"

namespace deployment {
namespace {

// Returns the commands of `build` of a component that runs on the environment.
Sequence build_commands(const Component& component, const Install& install,
                        const Host& host) {
  Sequence commands;
  const Context context = context_of(component, install.facts, host);
  for (const CommandWords& words : component.builds) {
    commands.push_back({.purpose = "building " + component.name,
                        .program = words.front(),
                        .arguments = {words.begin() + 1, words.end()},
                        .context = context});
  }
  return commands;
}

Sequence commands_to_install(const Install& install, const Host& host) {
  const Component& component = install.component;
  Context context = host.logged(component.name, host.config.install_timeout);
  context.directory /= install.directory.value_or(component.directory);
  return install_commands("installing " + component.name, context, component,
                          install.facts.manifests);
}

bool is_in(const std::string& path, const std::string& folder) {
  return folder == "." || path.starts_with(folder + '/');
}

// Returns true when installs cannot run at the same time: two of them work in
// one folder, where they would meet, or one left something outside of all their
// folders the last time, which would be anybody's.
bool must_take_turns(const std::vector<Install>& installs) {
  std::set<std::string> folders;
  for (const Install& install : installs) {
    folders.insert(in_checkout(install.component.directory));
  }
  const auto is_inside = [&](const std::string& path) {
    return std::ranges::any_of(
        folders, [&](const auto& folder) { return is_in(path, folder); });
  };
  return installs.size() > 1 &&
         (folders.size() < installs.size() ||
          std::ranges::any_of(installs, [&](const Install& install) {
            return install.facts.live &&
                   !std::ranges::all_of(
                       install.facts.live->outputs,
                       [&](const auto& one) { return is_inside(one.first); });
          }));
}

// One build aside, and what it has made so far.
class Building {
 public:
  Building(const Build& step, const StagedCommit& staged, Work& work)
      : step_(step),
        work_(work),
        host_(work.host),
        mounts_(staged.mounts),
        others_(environments_of(step, work)) {
    others_.insert(staged.copied.begin(), staged.copied.end());
  }

  // Runs the installs at the same time, and notes what they made beside the
  // environments. Returns false when it cannot be told which of them made it.
  bool install_at_once() {
    for (const Install& install : step_.installs) {
      installs_.push_back(prepare(install));
    }
    results_ = host_.runner.run_sequences(installs_);
    bool is_told = true;
    for (const std::string& path : new_paths()) {
      const auto maker = maker_of(path);
      made_[maker.value_or("")][path] = false;
      is_told = is_told && maker;
    }
    return is_told;
  }

  // Runs them one after the other: so what is new is of the one that ran.
  void install_in_turn() {
    for (const Install& install : step_.installs) {
      const Sequence& next = installs_.emplace_back(prepare(install));
      results_.push_back(host_.runner.run_sequences({&next, 1}).front());
      for (const std::string& path : new_paths()) {
        made_[install.component.name][path] = false;
      }
    }
  }

  // Lets builds see what the other components have.
  void show_others() {
    const auto shown = mounts_of_others(step_, work_, seen_, others_);
    mounts_.insert(mounts_.begin(), shown.begin(), shown.end());
  }

  bool succeeded(std::size_t install) const {
    return deployment::succeeded(results_[install]);
  }
  bool all_succeeded() const {
    return std::ranges::all_of(results_, deployment::succeeded);
  }
  void require_success() const {
    deployment::require_success(installs_, results_);
  }

  // Runs the commands of `build` of all that use the environment and notes what
  // they made. Throws CommandError when one of them fails: what was made then
  // is nobody's.
  void run_builds(const Install& install) {
    try {
      for (const Component& component : components_of(install)) {
        run_builds(component, install);
      }
    } catch (const CommandError&) {
      new_paths();
      throw;
    }
  }

  void keep(const Install& install) {
    host_.store.keep_staged(install.component, install.facts.inputs,
                            made_[install.component.name],
                            install.facts.tracked);
  }

  // Keeps the empty environments of installs of which all went well. Nothing is
  // lost with one that cannot be kept.
  void keep_empties() {
    const auto went_well = [](const CommandResult& result) {
      return result.status.success();
    };
    for (std::size_t i = 0; i < step_.installs.size(); ++i) {
      try {
        if (std::ranges::all_of(results_[i], went_well)) {
          host_.store.keep_empty(step_.installs[i].component,
                                 of_empty(step_.installs[i]));
        }
      } catch (const Error& error) {
        host_.log.warning(one_line(error));
      }
    }
  }

 private:
  // Returns the commands of an install, for which all is there.
  Sequence prepare(const Install& install) {
    const Component& component = install.component;
    if (install.only_builds &&
        copy_environment(component, host_.store, host_.runner, host_.as_user,
                         host_.log)) {
      return {};
    }
    begin_with_copy(component, host_.store, host_.runner, host_.as_user,
                    host_.log);
    Sequence commands = in_stage(commands_to_install(install, host_));
    if (const std::size_t makes = preset_of(component).prepares.size()) {
      const auto first = commands.begin() + static_cast<std::ptrdiff_t>(makes);
      if (!step_.from_scratch &&
          begin_with_empty(component, of_empty(install), host_.store,
                           host_.runner, host_.as_user, host_.log)) {
        commands.erase(commands.begin(), first);
      } else {
        commands.insert(first, copy_folder(host_.store.staged(component),
                                           host_.store.staged_empty(component),
                                           host_.as_user));
      }
    }
    return commands;
  }

  Inputs of_empty(const Install& install) const {
    return inputs_of_empty(install.component, install.facts.inputs,
                           host_.as_user);
  }

  void run_builds(const Component& component, const Install& install) {
    for (const Command& command :
         in_stage(build_commands(component, install, host_))) {
      const auto start = std::chrono::steady_clock::now();
      host_.runner.run_checked(command);
      host_.log.info(
          fmt::format("{}: {}: done in {}", component.name, describe(command),
                      describe_duration(
                          std::chrono::duration_cast<std::chrono::milliseconds>(
                              std::chrono::steady_clock::now() - start))));
    }
    if (!component.builds.empty()) {
      for (const std::string& path : new_paths()) {
        made_[install.component.name][path] = true;
      }
    }
  }

  Sequence in_stage(Sequence commands) const {
    for (Command& command : commands) {
      command.context.mounts = mounts_;
    }
    return commands;
  }

  // Returns the paths that were not there the last time.
  std::set<std::string> new_paths() {
    const Store& store = host_.store;
    const std::set<std::string> all = made_by_build(
        host_.git.untracked_in(store.staged_tree(), store.stage() / "index"),
        others_,
        [&](const auto& folder) { return store.names_in_stage(folder); });
    std::set<std::string> found;
    std::ranges::set_difference(all, seen_, std::inserter(found, found.end()));
    seen_.insert(found.begin(), found.end());
    return found;
  }

  // Of installs that ran at the same time, returns the component whose folder
  // the output is in; of several, the innermost. nullopt: it is in none of
  // their folders, and any of them may have made it.
  std::optional<std::string> maker_of(const std::string& path) const {
    std::optional<std::string> maker;
    std::size_t longest = 0;
    for (const Install& install : step_.installs) {
      const Component& component = install.component;
      if (step_.installs.size() == 1) {
        return component.name;
      }
      const std::string folder = in_checkout(component.directory);
      if (is_in(path, folder) && folder.size() > longest) {
        maker = component.name;
        longest = folder.size();
      }
    }
    return maker;
  }

  const Build& step_;
  Work& work_;
  Host& host_;
  std::vector<Mount> mounts_;
  std::set<std::string> others_;  // paths that are no outputs
  std::set<std::string> seen_ = {};
  std::map<std::string, Store::Made> made_ = {};  // by owner
  std::vector<Sequence> installs_ = {};           // in the order of components
  std::vector<Results> results_ = {};             // of each of them
};

// Runs the commands of `build` for those whose install succeeded, and keeps
// what was built: also when another one fails, for the next try. Returns the
// first failure of a build.
std::optional<CommandError> build_and_keep(const Build& step,
                                           Building& building) {
  building.show_others();
  std::optional<CommandError> failure;
  std::vector<const Install*> built;
  for (std::size_t i = 0; i < step.installs.size(); ++i) {
    const Install& install = step.installs[i];
    try {
      if (building.succeeded(i)) {
        building.run_builds(install);
        built.push_back(&install);
      }
    } catch (const CommandError& error) {
      failure = failure.value_or(error);
    }
  }
  for (const Install* install : built) {
    building.keep(*install);
  }
  building.keep_empties();
  return failure;
}

}  // namespace

Sequence commands_of(const Install& install, const Host& host) {
  Sequence commands =
      install.only_builds ? Sequence() : commands_to_install(install, host);
  for (const Component& component : components_of(install)) {
    for (Command& command : build_commands(component, install, host)) {
      commands.push_back(std::move(command));
    }
  }
  return commands;
}

void build_aside(const Build& step, Work& work) {
  Host& host = work.host;
  Layout layout = layout_of(step, work);
  const auto lay_out_again = [&] {
    return lay_out(layout, host.git, host.store, host.runner, host.as_user);
  };
  const StagedCommit staged = lay_out_again();
  if (!staged.left_out.empty()) {
    host.log.warning(fmt::format("not copied for the build: {}",
                                 fmt::join(staged.left_out, ", ")));
  }
  std::optional<Building> building(std::in_place, step, staged, work);
  std::optional<CommandError> failure;
  bool is_told = must_take_turns(step.installs);
  if (is_told) {
    building->install_in_turn();
  } else {
    is_told = building->install_at_once();
  }
  if (!is_told && building->all_succeeded()) {
    host.log.info(
        "installing once more, one after the other: files outside of all "
        "folders of components are new, and only so it is known which of them "
        "made them");
    building.emplace(step, lay_out_again(), work);
    building->install_in_turn();
    is_told = true;
  }
  if (is_told && !step.installs.empty()) {
    failure = build_and_keep(step, *building);
  }
  if (step.tried.empty()) {
    host.store.remove_stage();
  }
  building->require_success();
  if (failure) {
    throw CommandError(*failure);
  }
  if (step.tried.empty()) {
    return;
  }
  // Leave out what installs wrote: checks see what the switch will bring.
  layout.components = step.tried;
  work.stage = step.installs.empty() ? staged.mounts : lay_out_again().mounts;
}

}  // namespace deployment
