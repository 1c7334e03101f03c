#include "lib/plan/observe.hpp"

#include <algorithm>
#include <set>

#include "lib/checkout/git_locks.hpp"
#include "lib/checkout/work_tree.hpp"
#include "lib/plan/component_facts.hpp"
#include "lib/plan/homes.hpp"
#include "lib/plan/standing.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// Takes out of the files in the way of a move those that the build of a
// component made: its environment is exchanged or put aside, and they go before
// git moves. Those that the target does not track stay as they are, also when a
// stopped move would have replaced them.
void leave_out_outputs(const ComponentFacts& facts, const Store& store,
                       Target& target) {
  Outputs outputs;
  if (facts.live) {
    outputs = facts.live->outputs;
  }
  if (facts.left) {
    outputs.merge(store.outputs_of(store.live(*facts.left)));
  }
  for (const auto& [path, output] : outputs) {
    if (facts.tracked.contains(path) || store.is_in_place(path, output)) {
      const auto is_of_it = [&path = path](const std::string& file) {
        return file == path || file.starts_with(path + '/');
      };
      std::erase_if(target.in_the_way, is_of_it);
      std::erase_if(target.half_written, is_of_it);
    }
  }
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
      record.deployed && (record.deployed == seen.current_commit ||
                          objects.has_commit(*record.deployed));
  target.from_subject =
      objects.subject(knows_deployed ? *record.deployed : seen.current_commit);
  Headline headline = objects.headline(commit);
  target.to_subject = std::move(headline.subject);
  target.to_author = std::move(headline.author);
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
  std::vector<Component> components = config.components;
  for (Component& component : components) {
    const Component configured = component;
    const ComponentFacts& facts = target.components[component.name] =
        facts_of(component, commit, record, sources);
    if (facts.manifests.empty() && config.names_components) {
      require_folder(configured, commit, record, objects, sources.store);
    }
  }
  const auto owners = share_environments(components, target);
  for (const Component& component : components) {
    ComponentFacts& facts = target.components[component.name];
    look_at_component(config, component, commit, record, sources, owners,
                      facts);
    if (!seen.in_place_reason) {
      leave_out_outputs(facts, sources.store, target);
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

Observation observation_at(const CommitId& commit) {
  return {.heads = {.tip = commit}, .current_commit = commit};
}

Observation observe(const Config& config, const Record& record,
                    const Heads& heads, bool force, const Sources& sources) {
  const GitReader& git = sources.git;
  const GitReader& objects = sources.objects;
  const bool is_on_branch = heads.on_branch && heads.local;
  Observation seen{
      .heads = heads,
      .current_commit = is_on_branch ? *heads.local : git.current_commit(),
      .current_branch =
          is_on_branch ? std::optional(config.branch) : git.current_branch(),
      .tip_is_here = git.has_commit(heads.tip),
      .git_locks = find_git_locks(config, git.checkout())};
  const bool is_anywhere =
      seen.tip_is_here || (&objects != &git && objects.has_commit(heads.tip));
  if (!is_anywhere) {
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
