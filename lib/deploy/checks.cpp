#include "lib/deploy/checks.hpp"

#include <fmt/format.h>

#include "lib/environments/installs.hpp"
#include "lib/environments/stage.hpp"
#include "lib/model/transitions.hpp"
#include "lib/plan/homes.hpp"

namespace deployment {
namespace {

// Returns the mounts that show the laid out commit with the environment that it
// will run on; none in place. A component of npm may need no environment.
template <typename Step>
std::vector<Mount> mounts_of(const Step& step, Work& work) {
  if (work.stage.empty()) {
    return {};
  }
  const Component home = home_of(step.component, step.facts);
  Store& store = work.host.store;
  const std::filesystem::path environment =
      step.in_use ? store.live(home) : kept_environment(home, step.facts, work);
  std::vector<Mount> mounts =
      show_outputs(home, environment, step.facts.tracked, store,
                   work.host.runner, work.host.as_user);
  mounts.insert(mounts.end(), work.stage.begin(), work.stage.end());
  if (store.has(environment)) {
    mounts.insert(mounts.begin(), show_read_only(home, environment, store));
  }
  return mounts;
}

template <typename Step>
void run(const Step& step, const std::vector<CommandWords>& commands,
         const std::string& purpose, const std::string& advice, Work& work) {
  const Host& host = work.host;
  const Component& component = step.component;
  Context context = context_of(component, step.facts, host);
  context.mounts = mounts_of(step, work);
  for (const CommandWords& words : commands) {
    const Command command{.purpose = purpose,
                          .program = words.front(),
                          .arguments = {words.begin() + 1, words.end()},
                          .context = context};
    const CommandResult result = host.runner.run(command);
    if (!result.status.success()) {
      throw CommandError(command, result, advice);
    }
  }
}

}  // namespace

Context context_of(const Component& component, const ComponentFacts& facts,
                   const Host& host) {
  Context context = host.logged(component.name, host.config.install_timeout);
  const std::filesystem::path checkout = context.directory;
  if (facts.root) {  // as npm runs scripts of a workspace
    context.directory = checkout / *facts.root;
    context = in_environment(std::move(context), component);
  }
  context.directory = checkout / component.directory;
  return in_environment(std::move(context), component);
}

void run_checks(const Check& step, Work& work) {
  const std::string& name = step.component.name;
  run(step, step.component.checks, "checking " + name,
      fmt::format("push a fix; or, if the cause is on this host or in the "
                  "check of [{}], fix it there: the next scheduled run checks "
                  "again",
                  name),
      work);
}

void run_releases(const Release& step, Work& work) {
  const std::string& name = step.component.name;
  run(step, step.component.releases, "releasing " + name,
      fmt::format("push a fix; or, if the cause is on this host or in the "
                  "release of [{}], fix it there: the next scheduled run "
                  "repeats it, from its first command on",
                  name),
      work);
  work.journal.write(transition::released, name, step.commit);
}

std::filesystem::path kept_environment(const Component& component,
                                       const ComponentFacts& facts,
                                       const Work& work) {
  const auto trials = work.journal.record().roll_back_to
                          ? Store::Trials::left_out
                          : Store::Trials::allowed;
  const auto kept = work.host.store.find(
      component, facts.inputs, work.change->to, trials, facts.tracked);
  if (!kept) {
    throw Error(fmt::format("cannot find the {} of {} to put into use",
                            environment_of(component), component.name));
  }
  return *kept;
}

}  // namespace deployment
