#include "lib/checkout/git.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <set>

#include "lib/base/file.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

constexpr std::string_view link_mode = "120000";
constexpr int longest_link_chain = 5;
constexpr std::size_t paths_per_command = 1000;  // well below ARG_MAX

std::vector<std::string> joined(std::vector<std::string> first,
                                std::span<const std::string> second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// `path` in C quotes, as GIT_ALTERNATE_OBJECT_DIRECTORIES takes it (git(1)):
// unquoted, a colon would end it.
std::string c_quoted(const std::string& path) {
  std::string out = "\"";
  for (const char c : path) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out + '"';
}

std::optional<std::string> read_link(const std::filesystem::path& path) {
  std::error_code error;
  const auto target = std::filesystem::read_symlink(path, error);
  return error ? std::nullopt : std::optional(target.string());
}

// git's words for objects that are gone, empty or cut short.
bool speaks_of_damage(std::string_view text) {
  constexpr std::array<std::string_view, 8> words = {
      " is corrupt",      " is empty",
      "bad object ",      "unable to read ",
      "unable to unpack", "inflate: ",
      "missing ",         "did not send all necessary objects"};
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}

// Whether something stands at `path` that a checkout would have to replace.
bool is_there(const std::filesystem::path& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

// By their paths in `checkout`.
std::vector<std::string> files_below(const std::filesystem::path& folder,
                                     const std::filesystem::path& checkout) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.is_symlink() || !entry.is_directory()) {
      files.push_back(entry.path().lexically_relative(checkout));
    }
  }
  return files;
}

// Whether writing `changed` would touch the local change `dirty`; a folder of
// untracked files ends with a slash.
bool touches(const std::string& changed, const std::string& dirty,
             const std::filesystem::path& checkout) {
  if (changed == dirty || dirty.starts_with(changed + "/") ||
      changed.starts_with(dirty + "/")) {
    return true;
  }
  return dirty.ends_with('/') && changed.starts_with(dirty) &&
         is_there(checkout / changed);
}

}  // namespace

GitReader::GitReader(CommandRunner& runner, Command prototype,
                     std::string remote, std::string branch)
    : runner_(&runner),
      prototype_(std::move(prototype)),
      remote_(std::move(remote)),
      branch_(std::move(branch)) {
  prototype_.program = "git";
  Environment& environment = prototype_.environment;
  environment["GIT_TERMINAL_PROMPT"] = "0";
  environment["GIT_LITERAL_PATHSPECS"] = "1";
  environment["GIT_OPTIONAL_LOCKS"] = "0";
  // Its words are read, so they must be English; and it is the one locale that
  // none of its processes has to load.
  environment["LC_ALL"] = "C";
  // A checkout whose .git is damaged must not be taken for a part of another.
  environment["GIT_CEILING_DIRECTORIES"] =
      prototype_.directory.parent_path().string();
}

const std::filesystem::path& GitReader::directory() const {
  return prototype_.directory;
}

Command GitReader::command(std::string purpose,
                           std::vector<std::string> arguments) const {
  Command command = prototype_;
  command.purpose = std::move(purpose);
  command.arguments = std::move(arguments);
  command.on_line = nullptr;
  return command;
}

CommandResult GitReader::run(std::string purpose,
                             std::vector<std::string> arguments) const {
  return checked(command(std::move(purpose), std::move(arguments)));
}

CommandResult GitReader::checked(const Command& command) const {
  CommandResult result = runner_->run(command);
  if (!result.status.success()) {
    throw CommandError(command, result,
                       speaks_of_damage(result.err) ? how_to_fetch_anew() : "");
  }
  return result;
}

// The former objects stay beside: commits may be in them that only they hold.
std::string GitReader::how_to_fetch_anew() const {
  const std::string objects = directory() / ".git" / "objects";
  return fmt::format(
      "the repository is damaged, as after a power loss; fetch its objects "
      "anew{0}: mv {1} {1}.damaged && mkdir {1} && git -C {2} fetch --refetch "
      "{3} {4}",
      prototype_.user ? ", as " + prototype_.user->name : "", objects,
      directory().string(), remote_, branch_);
}

std::string GitReader::remote_ref() const {
  return "refs/heads/" + branch_;
}

Command GitReader::heads_query() const {
  return command(
      fmt::format("looking at branch {} of the checkout", branch_),
      {"for-each-ref", "--format=%(HEAD) %(objectname) %(refname)", "--",
       remote_ref(), fmt::format("refs/remotes/{}/{}", remote_, branch_)});
}

Heads GitReader::look_here(const std::string& tip) const {
  Heads heads =
      parse_for_each_ref(runner_->run_checked(heads_query()).out, remote_ref());
  heads.tip = tip;
  return heads;
}

Heads GitReader::look() const {
  const std::string ref = remote_ref();
  // --heads: only branches are sent (gitprotocol-v2(5), ref-prefix). A pattern
  // alone filters here what the remote sent, its tags and pull requests too.
  const std::array commands = {
      command(fmt::format("asking {} for branch {}", remote_, branch_),
              {"ls-remote", "--heads", "--", remote_, ref}),
      heads_query()};
  std::vector<CommandResult> results;
  if (const auto local = checked_out_branch()) {
    results = {runner_->run(commands[0])};
    if (results[0].status.success() &&
        parse_ls_remote(results[0].out, ref) == *local) {
      return {
          .tip = *local, .local = *local, .tracking = "", .on_branch = true};
    }
    results.push_back(runner_->run(commands[1]));
  } else {
    results = runner_->run_all(commands);
  }
  if (!results[1].status.success()) {
    throw CommandError(
        commands[1], results[1],
        "look at the checkout: git -C " + directory().string() + " status");
  }
  if (!results[0].status.success()) {
    throw RemoteUnreachable(commands[0], results[0],
                            "nothing was changed; the next run asks again. Try "
                            "it by hand: git -C " +
                                directory().string() + " ls-remote " + remote_);
  }
  Heads heads = parse_for_each_ref(results[1].out, ref);
  heads.tip = parse_ls_remote(results[0].out, ref);
  if (heads.tip.empty()) {
    throw Error(fmt::format("the remote {} has no branch {}", remote_, branch_),
                "push the branch, or name another one with --branch");
  }
  return heads;
}

std::optional<std::string> GitReader::checked_out_branch() const {
  const std::filesystem::path git = directory() / ".git";
  const std::string ref = remote_ref();
  if (read_regular_file(git / "HEAD") != "ref: " + ref + "\n") {
    return std::nullopt;
  }
  const auto content = read_regular_file(git / ref);
  if (!content || !content->ends_with('\n') ||
      !is_object_id(trimmed(*content))) {
    return std::nullopt;
  }
  return std::string(trimmed(*content));
}

bool GitReader::has_commit(const std::string& id) const {
  return runner_
      ->run(command("looking for commit " + id,
                    {"cat-file", "-e", id + "^{commit}"}))
      .status.success();
}

std::string GitReader::current_commit() const {
  return std::string(
      trimmed(run("looking at the checked out commit",
                  {"rev-parse", "--verify", "--end-of-options", "HEAD"})
                  .out));
}

std::string GitReader::current_branch() const {
  return std::string(
      trimmed(runner_
                  ->run(command("looking at the checked out branch",
                                {"symbolic-ref", "--quiet", "--short", "HEAD"}))
                  .out));
}

Divergence GitReader::compare(const std::string& ours,
                              const std::string& theirs) const {
  return parse_divergence(run("comparing the checkout with the remote",
                              {"rev-list", "--left-right", "--count",
                               fmt::format("{}...{}", ours, theirs), "--"})
                              .out);
}

std::string GitReader::subject(const std::string& id) const {
  return std::string(
      trimmed(run("reading the subject of " + id,
                  {"log", "-1", "--no-show-signature", "--format=%s", id, "--"})
                  .out));
}

std::map<std::string, TreeEntry> GitReader::list_tree(
    const std::string& commit, const std::vector<std::string>& paths) const {
  std::map<std::string, TreeEntry> entries;
  for (std::size_t i = 0; i < paths.size(); i += paths_per_command) {
    const auto some = std::span(paths).subspan(
        i, std::min(paths_per_command, paths.size() - i));
    entries.merge(parse_ls_tree(
        run("listing files of " + commit,
            joined({"ls-tree", "-z", "--full-tree", commit, "--"}, some))
            .out));
  }
  return entries;
}

std::string GitReader::read_blob(const std::string& id) const {
  return run("reading a file of the repository", {"cat-file", "blob", id}).out;
}

std::map<std::string, std::string> GitReader::read_files(
    const std::string& commit, const std::vector<std::string>& paths) const {
  std::map<std::string, std::string> contents;
  if (paths.empty()) {
    return contents;
  }
  for (const auto& [path, entry] : list_tree(commit, paths)) {
    TreeEntry file = entry;
    std::filesystem::path place = path;
    for (int i = 0; file.mode == link_mode && i < longest_link_chain; ++i) {
      place = (place.parent_path() / read_blob(file.id)).lexically_normal();
      const auto found = list_tree(commit, {place.string()});
      file = found.empty() ? TreeEntry{} : found.begin()->second;
    }
    if (file.mode.starts_with("100")) {
      contents[path] = read_blob(file.id);
    }
  }
  return contents;
}

std::vector<std::string> GitReader::in_the_way(const std::string& from,
                                               const std::string& to) const {
  std::vector<std::string> dirty;
  for (const LocalChange& change : parse_status(
           run("looking for local changes",
               {"status", "--porcelain=v1", "-z", "--untracked-files=normal",
                "--no-renames", "--ignore-submodules=all"})
               .out)) {
    // What is only missing is in nobody's way; a folder may stand there.
    if (!change.missing || is_there(directory() / change.path)) {
      dirty.push_back(change.path);
    }
  }
  if (dirty.empty()) {
    return {};
  }
  const CommandResult diff = run(
      "comparing two commits",
      {"diff-tree", "-r", "-z", "--name-only", "--no-renames", from, to, "--"});
  std::set<std::string> found;
  for (const std::string_view part : split(diff.out, '\0')) {
    const std::string changed(part);
    for (const std::string& path : dirty) {
      if (touches(changed, path, directory())) {
        found.insert(path.ends_with('/') ? changed : path);
      }
    }
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> GitReader::begun_from(
    const std::string& commit, const std::vector<std::string>& paths) const {
  if (!has_commit(commit)) {
    return {};
  }
  const auto entries = list_tree(commit, paths);
  const auto is_begun = [&](const std::string& path) {
    const std::filesystem::path file = directory() / path;
    if (!is_there(file)) {
      return true;
    }
    if (std::filesystem::is_directory(symlink_status(file))) {
      const auto files = files_below(file, directory());
      return begun_from(commit, files) == files;
    }
    const auto found = entries.find(path);
    if (found == entries.end()) {
      return false;
    }
    const TreeEntry& entry = found->second;
    const auto content =
        entry.mode == link_mode ? read_link(file) : read_regular_file(file);
    return content && read_blob(entry.id).starts_with(*content);
  };
  std::vector<std::string> begun;
  std::copy_if(paths.begin(), paths.end(), std::back_inserter(begun), is_begun);
  return begun;
}

std::vector<std::string> GitReader::untracked_files(
    const std::vector<std::string>& folders) const {
  std::vector<std::string> files;
  const CommandResult listing =
      run("looking for untracked files",
          {"ls-files", "-z", "--others", "--directory", "--full-name"});
  for (const std::string_view path : split(listing.out, '\0')) {
    const std::size_t slash = path.rfind('/');
    const std::string_view folder =
        slash == std::string_view::npos ? "" : path.substr(0, slash);
    if (!path.ends_with('/') &&
        std::find(folders.begin(), folders.end(), folder) != folders.end()) {
      files.emplace_back(path);
    }
  }
  return files;
}

void GitReader::verify_signature(const std::string& commit) const {
  const Command verify =
      command("checking the signature of " + commit, {"verify-commit", commit});
  const CommandResult result = runner_->run(verify);
  if (!result.status.success()) {
    throw CommandError(
        verify, result,
        "nothing was changed; push a commit signed with a key that the "
        "checkout's user trusts");
  }
}

GitReader GitReader::with_objects_aside(
    const std::filesystem::path& objects) const {
  const std::filesystem::path own =
      directory() / trimmed(run("looking for the object directory",
                                {"rev-parse", "--git-path", "objects"})
                                .out);
  GitReader aside = *this;
  Environment& environment = aside.prototype_.environment;
  environment["GIT_OBJECT_DIRECTORY"] = objects;
  environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = c_quoted(own);
  aside.run(fmt::format("fetching {} of {} aside", branch_, remote_),
            {"fetch", "--quiet", "--no-write-fetch-head", "--no-tags",
             "--refmap=", "--no-auto-maintenance", "--no-recurse-submodules",
             "--", remote_, remote_ref()});
  return aside;
}

namespace {

// git pull would start housekeeping in the background, beyond the deadline
// and the log; maintain() does it at the end instead.
const std::vector<std::string> no_maintenance = {"-c", "gc.auto=0", "-c",
                                                 "maintenance.auto=false"};

}  // namespace

CommandResult Git::change(std::string purpose,
                          std::vector<std::string> arguments) const {
  return checked(changing(std::move(purpose), std::move(arguments)));
}

Command Git::changing(std::string purpose,
                      std::vector<std::string> arguments) const {
  Command changing =
      command(std::move(purpose), joined(no_maintenance, arguments));
  changing.on_line = prototype().on_line;
  return changing;
}

void Git::fetch() const {
  change(fmt::format("fetching {} of {}", branch(), remote()),
         {"fetch", "--quiet", "--", remote(), remote_ref()});
}

void Git::checkout() const {
  change("checking out " + branch(), {"checkout", "--quiet", branch(), "--"});
}

void Git::fast_forward(const std::string& commit) const {
  change("fast-forwarding to " + commit,
         {"merge", "--quiet", "--ff-only", commit});
}

void Git::reset(const std::string& commit) const {
  // To reset, a file whose times changed is a file that changed.
  runner().run(changing("looking at the work tree",
                        {"update-index", "-q", "--refresh"}));
  change("resetting to " + commit,
         {"reset", "--quiet", "--keep", commit, "--"});
}

void Git::keep(const std::string& ref, const std::string& commit) const {
  change("keeping " + commit, {"update-ref", ref, commit});
}

void Git::restore(const std::vector<std::string>& paths) const {
  for (std::size_t i = 0; i < paths.size(); i += paths_per_command) {
    const auto some = std::span(paths).subspan(
        i, std::min(paths_per_command, paths.size() - i));
    const auto tracked = list_tree("HEAD", {some.begin(), some.end()});
    for (const std::string& path : some) {  // first: it may take space to write
      if (!tracked.contains(path)) {
        remove_file(path);
      }
    }
    change("unstaging", joined({"reset", "--quiet", "HEAD", "--"}, some));
    for (const auto& [path, unused] : tracked) {
      change("restoring " + path, {"checkout", "--quiet", "HEAD", "--", path});
    }
  }
}

void Git::write_tree(const std::string& commit,
                     const std::filesystem::path& tree,
                     const std::filesystem::path& index) const {
  Command write =
      changing("laying out " + commit, {"read-tree", "--reset", "-u", commit});
  write.environment["GIT_DIR"] = directory() / ".git";
  write.environment["GIT_WORK_TREE"] = tree;
  write.environment["GIT_INDEX_FILE"] = index;
  write.directory = tree;
  checked(write);
}

void Git::remove_file(const std::filesystem::path& path) const {
  Command remove = command("removing " + path.string(), {"-f", "--", path});
  remove.program = "rm";
  runner().run_checked(remove);
}

void Git::maintain(std::chrono::milliseconds timeout) const {
  Command gc = command("tidying the repository", {"-c", "gc.autoDetach=false",
                                                  "gc", "--auto", "--quiet"});
  gc.timeout = timeout;
  runner().run_checked(gc);
}

}  // namespace deployment
