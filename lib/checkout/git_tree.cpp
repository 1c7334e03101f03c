// The part of GitReader that reads the tree of a commit.
#include <algorithm>
#include <iterator>

#include "lib/base/text.hpp"
#include "lib/checkout/git_reader.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

constexpr int longest_link_chain = 5;
constexpr std::size_t longest_gitmodules = 1 << 20;

// The path that a link at `link` leads to, from the top of the checkout.
fs::path target_of(const fs::path& link, const fs::path& target,
                   const fs::path& checkout) {
  return target.is_absolute()
             ? target.lexically_normal().lexically_relative(checkout)
             : (link.parent_path() / target).lexically_normal();
}

bool leaves_checkout(const fs::path& path) {
  return path.empty() || path.is_absolute() || *path.begin() == "..";
}

// Lists the folders on the way to `path`, and itself.
std::vector<fs::path> places_on_the_way_to(const fs::path& path) {
  std::vector<fs::path> places;
  fs::path place;
  for (const fs::path& part : path.lexically_normal()) {
    if (!part.empty() && part != ".") {
      places.push_back(place /= part);
    }
  }
  return places;
}

}  // namespace

std::map<std::string, TreeEntry> GitReader::list_tree(
    const std::string& revision, const Paths& paths) const {
  std::map<std::string, TreeEntry> entries;
  for (const Paths& some : batches_of(paths)) {
    entries.merge(parse_ls_tree(
        ask("listing files of " + revision,
            joined({"ls-tree", "-z", "--full-tree", revision, "--"}, some))));
  }
  return entries;
}

std::set<std::string> GitReader::tracked(const std::string& revision,
                                         const Paths& paths) const {
  std::set<std::string> asked;
  for (const std::string& path : paths) {
    for (const fs::path& place : places_on_the_way_to(path)) {
      asked.insert(place);
    }
  }
  // Of a folder git lists itself or, when something in it is asked for, that.
  const auto entries = list_tree(revision, {asked.begin(), asked.end()});
  const auto is_tracked = [&](const std::string& path) {
    const auto below = entries.lower_bound(path + '/');
    return entries.contains(path) ||
           (below != entries.end() && below->first.starts_with(path + '/')) ||
           std::ranges::any_of(
               places_on_the_way_to(path), [&](const fs::path& place) {
                 const auto entry = entries.find(place);
                 return entry != entries.end() && !entry->second.is_folder();
               });
  };
  std::set<std::string> found;
  std::ranges::copy_if(paths, std::inserter(found, found.end()), is_tracked);
  return found;
}

std::string GitReader::tree_id(const CommitId& commit,
                               const fs::path& folder) const {
  const fs::path path = folder.lexically_normal();
  const std::string name = path == "." ? "" : path.generic_string();
  const CommandResult result = runner_->run(
      command("looking at the folder " + folder.string(),
              {"rev-parse", "--quiet", "--verify", "--end-of-options",
               fmt::format("{}:{}", commit, name)}));
  return std::string(trimmed(result.out));
}

std::string GitReader::read_blob(const std::string& path, const std::string& id,
                                 std::size_t longest) const {
  return ask("reading " + path + " of the repository", {"cat-file", "blob", id},
             longest);
}

void GitReader::read_files(const CommitId& commit, const Paths& paths,
                           std::size_t longest, const Take& take) const {
  for (const auto& [path, entry] : list_tree(commit.str(), paths)) {
    TreeEntry file = entry;
    std::filesystem::path place = path;
    for (int i = 0; file.is_link() && i < longest_link_chain; ++i) {
      place = (place.parent_path() / read_blob(path, file.id, longest_line))
                  .lexically_normal();
      const auto found = list_tree(commit.str(), {place.string()});
      file = found.empty() ? TreeEntry{} : found.begin()->second;
    }
    if (file.mode.starts_with("100")) {
      take(path, read_blob(path, file.id, longest));
    }
  }
}

std::optional<fs::path> GitReader::first_link(const CommitId& commit,
                                              const fs::path& path,
                                              std::string& target) const {
  for (const fs::path& place : places_on_the_way_to(path)) {
    const auto found = list_tree(commit.str(), {place.string()});
    if (found.empty()) {
      const ActingAs owner(user());
      const auto local = checkout().read_link(place);
      target = local.value_or("");
      return local ? std::optional(place) : std::nullopt;
    }
    const TreeEntry& entry = found.begin()->second;
    if (entry.is_link()) {
      target = read_blob(place, entry.id, longest_line);
      return place;
    }
    if (entry.is_submodule()) {
      throw Error(
          fmt::format("{} is in the submodule {}, and nothing can be deployed "
                      "from there",
                      path.string(), place.string()),
          "name a folder of the repository itself as the component's "
          "directory");
    }
  }
  return std::nullopt;
}

fs::path GitReader::real_folder(const CommitId& commit,
                                const fs::path& folder) const {
  fs::path place = folder;
  for (int i = 0; i <= longest_link_chain; ++i) {
    std::string target;
    const auto link = first_link(commit, place, target);
    if (!link) {
      return place;
    }
    const fs::path rest = place.lexically_relative(*link);
    place = target_of(*link, target, directory());
    if (leaves_checkout(place)) {
      throw Error(fmt::format("{} is a link to {}, outside of the checkout",
                              link->string(), target),
                  "make it a folder of the repository, or a link to one");
    }
    place = (rest == "." ? place : place / rest).lexically_normal();
    if (!place.has_filename()) {
      place = place.parent_path();
    }
  }
  throw Error(fmt::format("{} leads through more than {} links",
                          folder.string(), longest_link_chain),
              "make it a folder of the repository, or a link to one");
}

Paths GitReader::submodules(const CommitId& commit) const {
  const auto file = list_tree(commit.str(), {".gitmodules"});
  if (file.empty() || !file.begin()->second.mode.starts_with("100")) {
    return {};
  }
  Command reading = command("reading .gitmodules of " + commit.str(),
                            {"config", "--blob", file.begin()->second.id, "-z",
                             "--get-regexp", "^submodule\\..*\\.path$"});
  reading.context.longest_answer = longest_gitmodules;
  const CommandResult result = runner_->run(reading);
  if (result.status.code == 1) {  // it names none (git-config(1))
    return {};
  }
  if (!result.status.success()) {
    throw CommandError(reading, result);
  }
  Paths named;
  for (const std::string& entry : parse_paths(result.out, "config")) {
    const std::string path = entry.substr(entry.find('\n') + 1);
    if (!leaves_checkout(path)) {
      named.push_back(path);
    }
  }
  Paths found;
  for (const auto& [path, entry] : list_tree(commit.str(), named)) {
    if (entry.is_submodule()) {
      found.push_back(path);
    }
  }
  return found;
}

}  // namespace deployment
