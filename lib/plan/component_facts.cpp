#include "lib/plan/component_facts.hpp"

#include <fmt/format.h>

#include "lib/base/sha256.hpp"
#include "lib/base/text.hpp"
#include "lib/plan/homes.hpp"
#include "lib/plan/inputs.hpp"
#include "lib/plan/obstacle.hpp"
#include "lib/plan/standing.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// Lists the outputs of all environments at `home` that the commit tracks.
std::set<std::string> tracked_outputs(const Component& home,
                                      const CommitId& commit,
                                      const Sources& sources) {
  const auto outputs = sources.store.output_paths(home);
  return outputs.empty() ? std::set<std::string>()
                         : sources.objects.tracked(
                               commit.str(), {outputs.begin(), outputs.end()});
}

// Looks at the environments at `home`.
void look_at_environments(const Component& home, const CommitId& commit,
                          bool is_way_back, const Sources& sources,
                          ComponentFacts& facts) {
  const Store& store = sources.store;
  facts.live = store.live_label(home);
  facts.lost = store.lost_outputs(home);
  facts.tracked = tracked_outputs(home, commit, sources);
  const bool is_of_another_folder = !facts.live && store.has_live_label(home);
  facts.gone = facts.gone || is_of_another_folder;
  facts.kept =
      store
          .find(home, facts.inputs, commit,
                is_way_back ? Store::Trials::left_out : Store::Trials::allowed,
                facts.tracked)
          .has_value();
}

// Returns true when the component's service may run a commit that is left by a
// rollback: when that commit has the component.
bool runs_what_is_left(const Component& component, const Record& record,
                       const GitReader& git) {
  const auto found = record.components.find(component.name);
  std::optional<CommitId> left =
      found == record.components.end() ? std::nullopt : found->second.commit;
  if (!left && record.pending) {
    left = record.pending->tip;
  }
  return left && git.has_commit(*left) &&
         !git.list_tree(left->str(), manifests_of(component)).empty();
}

// Refuses an environment that would be exchanged with files that git tracks.
void require_untracked(const Component& component, const CommitId& commit,
                       const Record& record, const Sources& sources) {
  const std::string environment =
      in_checkout(component.directory / environment_of(component));
  if ((record.roll_back_to && has_moved(record)) ||
      sources.objects.list_tree(commit.str(), {environment}).empty()) {
    return;
  }
  throw Obstacle(
      fmt::format("component {}: its environment {} is in {}, and only what "
                  "git does not track can be one; nothing was changed",
                  component.name, environment, commit.abbreviated()),
      fmt::format("name another folder by environment in [{}], or push a "
                  "commit without that one",
                  component.name));
}

// Returns true when the paths of the component are in `commit` as in the one
// that its service runs, and as in the one that is checked out, which it may
// have loaded. A path that names nothing says nothing.
bool is_unchanged(const Component& component, const CommitId& commit,
                  const Record& record, const GitReader& git) {
  const auto found = record.components.find(component.name);
  if (component.paths.empty() || found == record.components.end()) {
    return false;
  }
  const std::optional<CommitId>& runs = found->second.commit;
  if (!runs || !git.has_commit(*runs) ||
      git.list_tree(runs->str(), manifests_of(component)).empty()) {
    return false;
  }
  const auto there = git.list_tree(commit.str(), component.paths);
  return there.size() == component.paths.size() &&
         !git.differ(*runs, commit, component.paths) &&
         !git.differ(*runs, git.current_commit(), component.paths);
}

// Returns a hash of what the builds of a component read: its folder, and what
// its paths name outside of that.
std::string read_by_builds_of(const Component& component,
                              const CommitId& commit, const GitReader& git) {
  const std::string folder = in_checkout(component.directory);
  std::string read = git.tree_id(commit, component.directory);
  Paths outside = component.paths;
  std::erase_if(outside, [&](const std::string& path) {
    return folder == "." || path == folder || path.starts_with(folder + '/');
  });
  if (outside.empty()) {
    return read;
  }
  for (const auto& [path, entry] : git.list_tree(commit.str(), outside)) {
    read += fmt::format("\n{} {} {}", entry.mode, entry.id, path);
  }
  return sha256(read);
}

// Returns true when a rollback to `commit` has put back already what stood at
// `home` then: nobody leaves that.
bool has_come_back(const Component& home, const CommitId& commit,
                   const Store& store) {
  const auto label = store.live_label(home);
  return label && !label->on_trial && label->served == commit;
}

void require_short_label(const Component& home, const CommitId& commit,
                         const Inputs& inputs, const Store& store) {
  const Label longest = {.inputs = inputs,
                         .folder = store.live(home),
                         .served = commit,
                         .on_trial = true};
  if (to_text(longest).size() > longest_label) {
    throw Error(
        fmt::format("the names of the files that the requirements of "
                    "{} include are longer than {} all together",
                    home.name, describe_size(longest_label)));
  }
}

}  // namespace

void require_folder(const Component& component, const CommitId& commit,
                    const Record& record, const GitReader& objects,
                    const Store& store) {
  const std::string folder = in_checkout(component.directory);
  if (folder == "." || (record.roll_back_to && has_moved(record)) ||
      was_configured_so(component, record) || store.has(folder) ||
      !objects.list_tree(commit.str(), {folder}).empty()) {
    return;
  }
  throw Obstacle(
      fmt::format("component {}: there is no folder {}, neither in {} "
                  "nor in the checkout; nothing was changed",
                  component.name, folder, commit.abbreviated()),
      fmt::format("correct the directory of [{}] in the "
                  "configuration, or push the folder",
                  component.name));
}

ComponentFacts facts_of(Component& component, const CommitId& commit,
                        const Record& record, const Sources& sources) {
  ComponentFacts facts =
      inputs_behind_links(component, commit, sources.objects);
  if (facts.manifests.empty()) {
    return facts;
  }
  if (preset_of(component).environment.empty()) {
    require_untracked(component, commit, record, sources);
  }
  const std::string runtime{preset_of(component).runtime};
  if (!runtime.empty()) {
    facts.inputs[runtime] = sources.version_of(runtime);
  }
  if (!component.builds.empty()) {
    facts.inputs[commands_input] = sha256(describe(component.builds));
    facts.inputs[folder_input] =
        read_by_builds_of(component, commit, sources.objects);
  }
  facts.unchanged = is_unchanged(component, commit, record, sources.objects);
  return facts;
}

void look_at_component(const Config& config, const Component& component,
                       const CommitId& commit, const Record& record,
                       const Sources& sources,
                       const std::map<std::string, std::string>& owners,
                       ComponentFacts& facts) {
  const Store& store = sources.store;
  const bool is_way_back = record.roll_back_to.has_value();
  const auto found = record.components.find(component.name);
  const ComponentRecord known =
      found == record.components.end() ? ComponentRecord{} : found->second;
  Component before = home_of(component, known);
  before.name = owner_of(before, config.components, record);
  const bool is_left = !owners.contains(place_of(before));
  if (facts.manifests.empty() && !known.root.empty()) {
    facts.root = known.root;
    facts.owner = before.name;
  }
  const Component home = home_of(component, facts);
  facts.is_there = store.has(store.live(home));
  facts.link = store.live_link(home);
  facts.gone = known.root == facts.root.value_or("").string() &&
               is_environment_gone(component, record, store);
  if (facts.manifests.empty()) {
    if (is_left) {
      look_at_environments(home, commit, is_way_back, sources, facts);
    }
    if (is_way_back) {  // the commit that is left may have the component
      facts.runs_what_is_left =
          runs_what_is_left(component, record, sources.objects);
    }
    return;
  }
  require_short_label(home, commit, facts.inputs, store);
  look_at_environments(home, commit, is_way_back, sources, facts);
  if (is_left && store.has_live_label(before) &&
      !(is_way_back && has_come_back(before, commit, store))) {
    facts.left = before;
    facts.tracked.merge(tracked_outputs(before, commit, sources));
  }
}

}  // namespace deployment
