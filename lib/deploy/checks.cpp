#include "lib/deploy/checks.hpp"

#include <fmt/format.h>

#include "lib/environments/installs.hpp"
#include "lib/environments/stage.hpp"
#include "lib/model/transitions.hpp"

namespace deployment {
namespace {

// Returns the mounts that show the laid out commit with the environment that it
// will run on; none in place. A component of npm may need no environment.
template <typename Step>
std::vector<Mount> mounts_of(const Step& step, Work& work) {
  if (work.stage.empty()) {
    return {};
  }
  const Component& component = step.component;
  Store& store = work.host.store;
  const std::filesystem::path environment =
      step.in_use ? store.live(component)
                  : kept_environment(component, step.facts.inputs, work);
  std::vector<Mount> mounts = work.stage;
  if (store.has(environment)) {
    mounts.insert(mounts.begin(),
                  show_read_only(component, environment, store));
  }
  return mounts;
}

template <typename Step>
void run(const Step& step, const std::vector<CommandWords>& commands,
         const std::string& purpose, const std::string& advice, Work& work) {
  const Host& host = work.host;
  const Component& component = step.component;
  Context context = host.logged(component.name, host.config.install_timeout);
  context.directory /= component.directory;
  context = in_environment(std::move(context), component.type);
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
                                       const Inputs& inputs, const Work& work) {
  const auto trials = work.journal.record().roll_back_to
                          ? Store::Trials::left_out
                          : Store::Trials::allowed;
  const auto kept =
      work.host.store.find(component, inputs, work.change->to, trials);
  if (!kept) {
    throw Error(fmt::format("cannot find the {} of {} to put into use",
                            environment_name(component.type), component.name));
  }
  return *kept;
}

}  // namespace deployment
