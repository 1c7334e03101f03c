#include "lib/plan/refusals.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "lib/base/text.hpp"
#include "lib/plan/homes.hpp"
#include "lib/plan/needs.hpp"
#include "lib/plan/obstacle.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// True for the lock files of a component and of the workspace that it is in.
bool is_lock_file_of_npm(const Config& config, const Target& target,
                         const std::string& path) {
  const std::filesystem::path file = path;
  const std::string name = file.filename();
  if (name != "package-lock.json" && name != "npm-shrinkwrap.json") {
    return false;
  }
  return std::ranges::any_of(config.components, [&](const Component& one) {
    if (preset_of(one).reads != Preset::Reads::npm) {
      return false;
    }
    const ComponentFacts& facts = target.components.at(one.name);
    const Component component = real_component(one, facts);
    const auto folder = component.directory.lexically_normal();
    const auto home = home_of(component, facts).directory.lexically_normal();
    return (folder / name).lexically_normal() == file ||
           facts.inputs.contains(file.lexically_relative(home));
  });
}

// Says how the branch here and the remote's differ.
std::string describe_divergence(const Config& config, const Heads& heads,
                                const Divergence& divergence) {
  const bool was_moved_back = divergence.theirs == 0;
  std::string ours =
      fmt::format("{} that {} does not have",
                  counted(divergence.ours, "commit"), config.remote);
  if (was_moved_back) {
    ours += divergence.taken_away == divergence.ours
                ? " any more"
                : fmt::format(", and had {} of them", divergence.taken_away);
  }
  const std::string theirs =
      was_moved_back ? ""
                     : fmt::format(" ({} that the checkout does not have)",
                                   counted(divergence.theirs, "commit"));
  return fmt::format(
      "branch {} {}: the checkout is at {} ({}), {} is at {}{}", config.branch,
      was_moved_back ? "was moved back" : "diverged", *local_commit(heads),
      ours, config.remote, heads.tip, theirs);
}

}  // namespace

RemoveLock removal_of(const GitLock& lock, const Config& config,
                      const Record& record, const Observation& seen) {
  const std::string path = lock.path.string();
  if (lock.holder) {
    throw Obstacle(
        fmt::format(
            "{} exists, and git (process {}) is running in the checkout", path,
            *lock.holder),
        "wait until it is done; the next run continues");
  }
  if (record.pending && (record.pending->running || record.moving_to)) {
    return {lock.path, "a run that was killed left it"};
  }
  if (lock.age <= config.git_timeout) {
    throw Obstacle(
        fmt::format("{} exists, but no git process is running in the checkout",
                    path),
        fmt::format("it is {} old, and will be removed when it is older than "
                    "{}; or: {}",
                    describe_duration(lock.age),
                    describe_duration(config.git_timeout),
                    command_as(seen.git_user, "rm " + quoted(path))));
  }
  return {lock.path,
          fmt::format("it is {} old, and no git process is running in "
                      "the checkout",
                      describe_duration(lock.age))};
}

Restore restoration_of(const Config& config, const Observation& seen) {
  const Target& target = *seen.target;
  const std::set<std::string> half_written(target.half_written.begin(),
                                           target.half_written.end());
  Paths foreign;
  std::string put_aside = "git --literal-pathspecs -C " +
                          quoted(config.repo_dir) + " stash push --all --";
  for (const std::string& path : target.in_the_way) {
    if (!half_written.contains(path) &&
        !is_lock_file_of_npm(config, target, path)) {
      foreign.push_back(escaped(path));
      put_aside += ' ' + quoted(path);
    }
  }
  if (!foreign.empty()) {
    throw Obstacle(fmt::format("local changes would be overwritten; nothing "
                               "was changed:\n{}",
                               fmt::join(foreign, "\n")),
                   "commit them, or put them aside: " +
                       command_as(seen.git_user, put_aside));
  }
  return {target.in_the_way,
          target.half_written.empty()
              ? "npm rewrites it, and its changes would block the move"
              : "an earlier run was stopped while it wrote them"};
}

void refuse_divergence(const Config& config, const Observation& seen) {
  const std::string reset = command_as(
      seen.git_user, fmt::format("git -C {} reset --keep {}",
                                 quoted(config.repo_dir), seen.heads.tip));
  throw Obstacle(
      describe_divergence(config, seen.heads, *seen.divergence) +
          "; nothing was changed",
      fmt::format("push the checkout's commits, or take the remote's: {}; or "
                  "set on-divergence = reset",
                  reset));
}

void require_no_link(const Component& component, const ComponentFacts& facts,
                     const Config& config) {
  if (!facts.link) {
    return;
  }
  throw Obstacle(
      fmt::format("the {} of {} is a link to {}, in whose place a folder would "
                  "come; nothing was changed",
                  environment_of(component), component.name,
                  escaped(*facts.link)),
      fmt::format("have a folder built in its place: {}; or go on with the "
                  "link: build = in-place in the configuration",
                  command_with(config, "--force")));
}

void require_submodules_known(const Config& config, const Record& record,
                              const Target& target) {
  if (target.submodules.empty() || record.roll_back_to ||
      config.submodules == Submodules::update) {
    return;
  }
  throw Error(
      fmt::format("{} has submodules, which are not updated, and services "
                  "would run with those of another commit: {}; nothing was "
                  "changed",
                  target.commit.abbreviated(),
                  fmt::join(target.submodules, ", ")),
      "set submodules = update in the configuration file, or push a commit "
      "without them");
}

}  // namespace deployment
