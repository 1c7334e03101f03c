#include "lib/plan/inputs.hpp"

#include <climits>
#include <set>
#include <utility>

#include "lib/base/error.hpp"
#include "lib/base/sha256.hpp"
#include "lib/environments/requirements.hpp"
#include "lib/environments/workspaces.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// `path` of the checkout as a person in `folder` calls it.
std::string seen_from(const fs::path& folder, const std::string& path) {
  return fs::path(path)
      .lexically_relative(folder.lexically_normal())
      .generic_string();
}

constexpr std::size_t longest_manifest = 16 << 20;

bool leaves_checkout(const std::string& path) {
  return path.starts_with('/') || path == ".." || path.starts_with("../");
}

// Hashes of files, by path in the checkout. At no time is more than one of the
// files in memory.
using Hashes = std::map<std::string, std::string>;

// Lists the files in `folder` that decide what npm installs there. It prefers
// npm-shrinkwrap.json to package-lock.json.
Paths npm_files_in(const fs::path& folder) {
  Paths files;
  for (const char* name :
       {"package.json", "npm-shrinkwrap.json", "package-lock.json"}) {
    files.push_back(in_checkout(folder / name));
  }
  return files;
}

// Hashes what npm reads for `component`: its own files, and those of the
// nearest folder above it that has it as a workspace. There npm installs then:
// it becomes the root of `facts`. One that may have it is only read: an input
// too many builds once too often, one too few is never noticed.
Hashes hashes_for_npm(const GitReader& git, const CommitId& commit,
                      const Component& component, ComponentFacts& facts) {
  const fs::path folder = component.directory.lexically_normal();
  std::set<std::string> own;
  for (const fs::path& manifest : component.manifests) {
    own.insert(in_checkout(folder / manifest));
  }
  for (const std::string& file : npm_files_in(folder)) {
    if (fs::path(file).filename() != "package.json") {
      own.insert(file);
    }
  }
  Paths asked(own.begin(), own.end());
  for (fs::path above = folder; above.has_relative_path() && above != ".";) {
    above = above.parent_path();
    asked = joined(std::move(asked), npm_files_in(above));
  }
  Hashes hashes;
  std::optional<fs::path> root;
  git.read_files(
      commit, asked, longest_manifest,
      [&](const std::string& path, std::string_view text) {
        hashes[path] = sha256(text);
        const fs::path above = fs::path(path).parent_path();
        if (!path.ends_with("package.json") || own.contains(path) ||
            (root && above.native().size() <= root->native().size())) {
          return;
        }
        const fs::path named = above.empty() ? "." : above;
        const auto has = has_workspace(text, folder.lexically_relative(named));
        if (has.value_or(true)) {
          root = above;
          facts.root = has ? std::optional(named) : std::nullopt;
        }
      });
  std::erase_if(hashes, [&](const auto& entry) {
    return !own.contains(entry.first) &&
           fs::path(entry.first).parent_path() != root;
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

// Hashes the files that decide what is installed for `component`.
Hashes hashes_for(const GitReader& git, const CommitId& commit,
                  const Component& component, ComponentFacts& facts) {
  switch (preset_of(component).reads) {
    case Preset::Reads::npm:
      return hashes_for_npm(git, commit, component, facts);
    case Preset::Reads::requirements:
      return hashes_with_includes(git, commit, manifests_of(component));
    case Preset::Reads::manifests:
      break;
  }
  Hashes hashes;
  git.read_files(commit, manifests_of(component), longest_manifest,
                 [&](const std::string& path, std::string_view text) {
                   hashes[path] = sha256(text);
                 });
  return hashes;
}

// Gathers what `commit` says of a component whose folder is no link. Without a
// manifest there are no inputs.
ComponentFacts inputs_of(const Component& component, const CommitId& commit,
                         const GitReader& git) {
  ComponentFacts facts;
  const Hashes hashes = hashes_for(git, commit, component, facts);
  for (const fs::path& manifest : component.manifests) {
    if (hashes.contains(in_checkout(component.directory / manifest))) {
      facts.manifests.push_back(manifest);
    }
  }
  if (!facts.manifests.empty()) {
    for (const auto& [path, hash] : hashes) {
      facts.inputs[seen_from(facts.root.value_or(component.directory), path)] =
          hash;
    }
  }
  return facts;
}

}  // namespace

std::string in_checkout(const fs::path& path) {
  return path.lexically_normal().generic_string();
}

Paths manifests_of(const Component& component) {
  Paths manifests;
  for (const fs::path& manifest : component.manifests) {
    manifests.push_back(in_checkout(component.directory / manifest));
  }
  return manifests;
}

// Git looks behind no link: it is followed when there is nothing else.
ComponentFacts inputs_behind_links(Component& component, const CommitId& commit,
                                   const GitReader& git) {
  ComponentFacts facts = inputs_of(component, commit, git);
  if (!facts.manifests.empty()) {
    return facts;
  }
  const fs::path real = git.real_folder(commit, component.directory);
  if (real != component.directory) {
    component.directory = real;
    facts = inputs_of(component, commit, git);
    facts.real_directory = real;
  }
  return facts;
}

}  // namespace deployment
