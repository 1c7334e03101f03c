#include "lib/plan/observe.hpp"

#include <climits>
#include <set>
#include <utility>

#include "lib/base/sha256.hpp"
#include "lib/base/text.hpp"
#include "lib/checkout/git_locks.hpp"
#include "lib/checkout/work_tree.hpp"
#include "lib/environments/requirements.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// A path of the checkout as git spells it.
std::string in_checkout(const fs::path& path) {
  return path.lexically_normal().generic_string();
}

// `path` of the checkout as a person in the component's folder calls it.
std::string in_component(const std::string& path, const Component& component) {
  return fs::path(path)
      .lexically_relative(component.directory.lexically_normal())
      .generic_string();
}

bool leaves_checkout(const std::string& path) {
  return path.starts_with('/') || path == ".." || path.starts_with("../");
}

// Hashes of files, by path in the checkout. At no time is more than one of the
// files in memory.
using Hashes = std::map<std::string, std::string>;

// Hashes those of `files` that `commit` has.
Hashes hashes_of(const GitReader& git, const CommitId& commit,
                 const Paths& files) {
  constexpr std::size_t longest_manifest = 16 << 20;
  Hashes hashes;
  git.read_files(commit, files, longest_manifest,
                 [&](const std::string& path, std::string_view text) {
                   hashes[path] = sha256(text);
                 });
  return hashes;
}

// The files that requirements include.
class Includes {
 public:
  explicit Includes(const Paths& first)
      : first_(first.size()), asked_(first.begin(), first.end()) {}

  // Takes those that `path` includes by its `text`.
  void take(const fs::path& path, std::string_view text) {
    for_each_included(text, [&](std::string_view file) {
      std::string included = in_checkout(path.parent_path() / file);
      if (!leaves_checkout(included) && included.size() < PATH_MAX &&
          asked_.insert(included).second) {
        next_.push_back(std::move(included));
      }
      if (asked_.size() - first_ > most_included) {
        throw Error(
            fmt::format("{} and the files before it include more than "
                        "{} files",
                        path.string(), most_included));
      }
    });
  }

  // Returns those that were not returned yet.
  Paths next() { return std::exchange(next_, {}); }

 private:
  std::size_t first_;
  std::set<std::string> asked_;
  Paths next_;
};

// Hashes those of `files` that `commit` has, and what they include.
Hashes hashes_with_includes(const GitReader& git, const CommitId& commit,
                            Paths files) {
  Hashes hashes;
  Includes includes(files);
  for (; !files.empty(); files = includes.next()) {
    git.read_files(commit, files, longest_requirements,
                   [&](const std::string& path, std::string_view text) {
                     hashes[path] = sha256(text);
                     includes.take(path, text);
                   });
  }
  return hashes;
}

ComponentFacts facts_of(const Component& component, const CommitId& commit,
                        const Sources& sources) {
  const GitReader& git = sources.objects;
  Paths files;
  for (const fs::path& manifest : component.manifests) {
    files.push_back(in_checkout(component.directory / manifest));
  }
  const bool is_python = component.type == Component::Type::python;
  if (!is_python) {
    files.push_back(in_checkout(component.directory / "package-lock.json"));
  }
  const Hashes hashes = is_python ? hashes_with_includes(git, commit, files)
                                  : hashes_of(git, commit, files);
  ComponentFacts facts;
  for (const fs::path& manifest : component.manifests) {
    if (hashes.contains(in_checkout(component.directory / manifest))) {
      facts.manifests.push_back(manifest);
    }
  }
  if (facts.manifests.empty()) {
    return facts;
  }
  for (const auto& [path, hash] : hashes) {
    facts.inputs[in_component(path, component)] = hash;
  }
  if (is_python) {
    facts.inputs["python3"] = sources.python_version();
  }
  if (to_text(Label{.inputs = facts.inputs}).size() > longest_label) {
    throw Error(
        fmt::format("the names of the files that the requirements of "
                    "{} include are longer than {} all together",
                    component.name, describe_size(longest_label)));
  }
  facts.live = sources.store.live_label(component);
  facts.kept = sources.store.find(component, facts.inputs, commit).has_value();
  return facts;
}

// Lists the local changes that a move to `to` overwrites, and those that a
// stopped move to another commit left.
Paths in_the_way(const GitReader& objects, const Record& record,
                 const CommitId& from, const CommitId& to) {
  std::set<std::string> paths;
  const auto add_those_to = [&](const CommitId& commit) {
    const Paths more = changes_in_the_way(objects, from, commit);
    paths.insert(more.begin(), more.end());
  };
  if (from != to) {
    add_those_to(to);
  }
  if (record.moving_to && record.moving_to != to &&
      objects.has_commit(*record.moving_to)) {
    add_those_to(*record.moving_to);
  }
  return {paths.begin(), paths.end()};
}

Target examine_target(const Config& config, const Record& record,
                      const CommitId& current_commit, const CommitId& commit,
                      const Sources& sources) {
  const GitReader& objects = sources.objects;
  Target target{.commit = commit};
  const bool knows_deployed =
      record.deployed && objects.has_commit(*record.deployed);
  target.from_subject =
      objects.subject(knows_deployed ? *record.deployed : current_commit);
  target.to_subject = objects.subject(commit);
  target.in_the_way = in_the_way(objects, record, current_commit, commit);
  if (record.moving_to && !target.in_the_way.empty()) {
    target.half_written =
        half_written_files(objects, *record.moving_to, target.in_the_way);
  }
  for (const Component& component : config.components) {
    target.components[component.name] = facts_of(component, commit, sources);
  }
  return target;
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
  const std::optional<CommitId>& local = local_commit(heads);
  seen.divergence = local ? objects.compare(*local, heads.tip)
                          : Divergence{.ours = 0, .theirs = 1};
  const bool contained = seen.divergence->theirs == 0;
  if (contained && !force && is_settled(config, record, heads)) {
    return seen;
  }
  if (config.verify_signatures && !contained && !record.roll_back_to) {
    objects.verify_signature(heads.tip);
  }
  seen.in_place_reason = sources.in_place_reason();
  const CommitId& deployable = contained && local ? *local : heads.tip;
  seen.target =
      examine_target(config, record, seen.current_commit,
                     record.roll_back_to.value_or(deployable), sources);
  return seen;
}

}  // namespace deployment
