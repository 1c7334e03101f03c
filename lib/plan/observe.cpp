#include "lib/plan/observe.hpp"

#include <algorithm>
#include <set>

#include "lib/base/text.hpp"
#include "lib/checkout/git_locks.hpp"
#include "lib/checkout/work_tree.hpp"
#include "lib/plan/inputs.hpp"
#include "lib/plan/obstacle.hpp"
#include "lib/plan/standing.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// Looks at the environments of a component, whose other facts are known.
void look_at_environments(const Component& component, const CommitId& commit,
                          bool is_way_back, const Store& store,
                          ComponentFacts& facts) {
  facts.live = store.live_label(component);
  const bool is_of_another_folder =
      !facts.live && store.has_live_label(component);
  facts.gone = facts.gone || is_of_another_folder;
  facts.kept =
      store
          .find(component, facts.inputs, commit,
                is_way_back ? Store::Trials::left_out : Store::Trials::allowed)
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

// A component of a configuration file that was never deployed and has no folder
// is a typing error.
void require_folder(const Component& component, const CommitId& commit,
                    const Record& record, const Sources& sources) {
  const std::string folder = in_checkout(component.directory);
  if (folder == "." || (record.roll_back_to && has_moved(record)) ||
      was_configured_so(component, record) || sources.store.has(folder) ||
      !sources.objects.list_tree(commit.str(), {folder}).empty()) {
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

ComponentFacts facts_of(Component component, const CommitId& commit,
                        const Record& record, const Sources& sources) {
  ComponentFacts facts =
      inputs_behind_links(component, commit, sources.objects);
  facts.is_there = sources.store.has(sources.store.live(component));
  facts.link = sources.store.live_link(component);
  facts.gone = is_environment_gone(component, record, sources.store);
  const bool is_way_back = record.roll_back_to.has_value();
  if (facts.manifests.empty()) {
    if (is_way_back) {  // the commit that is left may have the component
      look_at_environments(component, commit, is_way_back, sources.store,
                           facts);
      facts.runs_what_is_left =
          runs_what_is_left(component, record, sources.objects);
    }
    return facts;
  }
  if (component.type == Component::Type::python) {
    facts.inputs["python3"] = sources.python_version();
  } else {
    facts.inputs[node_input] = sources.node_version();
  }
  const Label longest = {.inputs = facts.inputs,
                         .folder = sources.store.live(component),
                         .served = commit,
                         .on_trial = true};
  if (to_text(longest).size() > longest_label) {
    throw Error(
        fmt::format("the names of the files that the requirements of "
                    "{} include are longer than {} all together",
                    component.name, describe_size(longest_label)));
  }
  look_at_environments(component, commit, is_way_back, sources.store, facts);
  facts.unchanged = is_unchanged(component, commit, record, sources.objects);
  return facts;
}

// Lists the local changes that a move to `to` overwrites, and those that a
// stopped move to another commit left.
Paths in_the_way(const GitReader& objects, const Record& record,
                 const Heads& heads, const CommitId& from, const CommitId& to) {
  std::set<std::string> paths;
  const auto add = [&](const Paths& more) {
    paths.insert(more.begin(), more.end());
  };
  if (from != to) {
    add(changes_in_the_way(objects, from, to));
  }
  // From another branch git goes to this one first.
  if (!heads.on_branch && heads.local && heads.local != from &&
      heads.local != to) {
    add(changes_in_the_way(objects, from, *heads.local));
  }
  if (record.moving_to && record.moving_to != to &&
      objects.has_commit(*record.moving_to)) {
    add(changes_of_stopped_move(objects, from, *record.moving_to));
  }
  return {paths.begin(), paths.end()};
}

// Compares the branch here with the remote's. Of what the remote had the
// remote-tracking branch tells, until somebody fetches, and the record.
Divergence compare_heads(const Record& record, const Heads& heads,
                         const GitReader& objects) {
  const std::optional<CommitId>& local = local_commit(heads);
  if (!local) {
    return {.theirs = 1};
  }
  Divergence divergence = objects.compare(*local, heads.tip);
  if (divergence.ours > 0 && divergence.theirs == 0) {
    std::vector<CommitId> had = {heads.tip};
    for (const auto& commit :
         {heads.tracking,
          record.remote_commit ? record.remote_commit : record.deployed}) {
      if (commit) {
        had.push_back(*commit);
      }
    }
    divergence.taken_away =
        divergence.ours - objects.count_commits(*local, had);
  }
  return divergence;
}

// Lists the submodules of `from` in whose place `to` has something else.
Paths replaced_submodules(const GitReader& objects, const CommitId& from,
                          const CommitId& to) {
  Paths replaced;
  const Paths before = objects.submodules(from);
  for (const auto& [path, entry] : objects.list_tree(to.str(), before)) {
    if (!entry.is_submodule()) {
      replaced.push_back(path);
    }
  }
  return replaced;
}

Target examine_target(const Config& config, const Record& record,
                      const Observation& seen, const CommitId& commit,
                      const Sources& sources) {
  const GitReader& objects = sources.objects;
  Target target{.commit = commit};
  const bool knows_deployed =
      record.deployed && objects.has_commit(*record.deployed);
  target.from_subject =
      objects.subject(knows_deployed ? *record.deployed : seen.current_commit);
  target.to_subject = objects.subject(commit);
  target.in_the_way =
      in_the_way(objects, record, seen.heads, seen.current_commit, commit);
  if (record.moving_to && !target.in_the_way.empty()) {
    target.half_written =
        half_written_files(objects, *record.moving_to, target.in_the_way);
  }
  target.submodules = objects.submodules(commit);
  if (config.submodules == Submodules::update) {
    target.replaced_submodules =
        replaced_submodules(objects, seen.current_commit, commit);
  }
  for (const Component& component : config.components) {
    const ComponentFacts& facts = target.components[component.name] =
        facts_of(component, commit, record, sources);
    if (facts.manifests.empty() && config.names_components) {
      require_folder(component, commit, record, sources);
    }
  }
  return target;
}

// Returns true when a component runs it, deployed by this program: what was
// adopted nobody has verified.
bool is_run(const CommitId& commit, const Record& record) {
  return record.deployed == commit &&
         std::ranges::any_of(record.components, [&](const auto& entry) {
           return entry.second.commit == commit;
         });
}

}  // namespace

Observation observe(const Config& config, const Record& record,
                    const Heads& heads, bool force, const Sources& sources) {
  const GitReader& git = sources.git;
  const GitReader& objects = sources.objects;
  Observation seen{.heads = heads,
                   .current_commit = git.current_commit(),
                   .current_branch = git.current_branch(),
                   .tip_is_here = git.has_commit(heads.tip),
                   .git_locks = find_git_locks(config, git.checkout())};
  if (!objects.has_commit(heads.tip)) {
    return seen;
  }
  if (record.roll_back_to && !objects.has_commit(*record.roll_back_to)) {
    throw Error(
        fmt::format("the commit {} to roll back to is not in the checkout: it "
                    "was removed from it, or the record speaks of another one",
                    *record.roll_back_to),
        "deploy what the remote has: " + command_with(config, "--force"));
  }
  const std::optional<CommitId>& local = local_commit(heads);
  seen.divergence = compare_heads(record, heads, objects);
  const bool contained =
      seen.divergence->theirs == 0 && seen.divergence->taken_away == 0;
  seen.is_own_commit =
      !seen.current_branch && objects.has_commits_without_ref();
  const Standing standing =
      look_at_standing(config, record, git.checkout(), sources.store);
  const bool is_in_place = heads.on_branch || local == seen.current_commit;
  if (contained && is_in_place && !force &&
      is_settled(config, record, standing, heads)) {
    return seen;
  }
  const bool was_verified = record.roll_back_to || is_run(heads.tip, record) ||
                            heads.tip == record.remote_commit;
  if (config.verify_signatures && !was_verified) {
    objects.verify_signature(heads.tip);
  }
  seen.in_place_reason = sources.in_place_reason();
  const CommitId& deployable = contained && local ? *local : heads.tip;
  seen.target = examine_target(
      config, record, seen, record.roll_back_to.value_or(deployable), sources);
  return seen;
}

}  // namespace deployment
