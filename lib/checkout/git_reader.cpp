#include "lib/checkout/git_reader.hpp"

#include <array>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

constexpr int longest_link_chain = 5;
constexpr std::size_t paths_per_command = 1000;  // well below ARG_MAX

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

// git's words for objects that are gone, empty or cut short.
bool speaks_of_damage(std::string_view text) {
  return contains_any(text, {" is corrupt", " is empty", "bad object ",
                             "unable to read ", "unable to unpack", "inflate: ",
                             "missing ", "did not send all necessary objects"});
}

}  // namespace

GitReader::GitReader(CommandRunner& runner, Context context, std::string remote,
                     std::string branch)
    : runner_(&runner),
      context_(std::move(context)),
      remote_(std::move(remote)),
      branch_(std::move(branch)) {
  Variables& variables = context_.variables;
  variables["GIT_TERMINAL_PROMPT"] = "0";
  variables["GIT_LITERAL_PATHSPECS"] = "1";
  variables["GIT_OPTIONAL_LOCKS"] = "0";
  // Its words are read, so they must be English; and it is the one locale that
  // none of its processes has to load.
  variables["LC_ALL"] = "C";
  // A checkout whose .git is damaged must not be taken for a part of another.
  variables["GIT_CEILING_DIRECTORIES"] =
      context_.directory.parent_path().string();
}

Command GitReader::command(std::string purpose, Words arguments) const {
  Command command{.purpose = std::move(purpose),
                  .program = "git",
                  .arguments = std::move(arguments),
                  .context = context_};
  command.context.on_line = nullptr;
  return command;
}

std::string GitReader::ask(std::string purpose, Words arguments) const {
  return run_checked(command(std::move(purpose), std::move(arguments))).out;
}

CommandResult GitReader::run_checked(const Command& command) const {
  CommandResult result = runner_->run(command);
  if (!result.status.success()) {
    throw CommandError(command, result,
                       speaks_of_damage(result.err)
                           ? std::optional(how_to_fetch_anew())
                           : std::nullopt);
  }
  return result;
}

// The former objects stay beside: commits may be in them that only they hold.
std::string GitReader::how_to_fetch_anew() const {
  const std::string objects = quoted(directory() / ".git" / "objects");
  return fmt::format(
      "the repository is damaged, as after a power loss; fetch its objects "
      "anew: {} && {} && {}",
      as_user(fmt::format("mv {0} {0}.damaged", objects)),
      as_user("mkdir " + objects),
      advised(fmt::format("fetch --refetch {} {}", remote_, branch_)));
}

std::string GitReader::advised(const std::string& arguments) const {
  return as_user(fmt::format("git -C {} {}", quoted(directory()), arguments));
}

std::string GitReader::as_user(const std::string& command) const {
  return command_as(
      context_.user ? std::optional(context_.user->name) : std::nullopt,
      command);
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

Heads GitReader::heads_here(const CommitId& tip) const {
  return parse_for_each_ref(runner_->run_checked(heads_query()).out,
                            remote_ref(), tip);
}

Heads GitReader::heads() const {
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
        parse_ls_remote(results[0].out, ref) == local) {
      return {.tip = *local, .local = local, .on_branch = true};
    }
    results.push_back(runner_->run(commands[1]));
  } else {
    results = runner_->run_all(commands);
  }
  if (!results[1].status.success()) {
    throw CommandError(commands[1], results[1],
                       "look at the checkout: " + advised("status"));
  }
  if (!results[0].status.success()) {
    throw RemoteUnreachable(commands[0], results[0],
                            "nothing was changed; the next run asks again. Try "
                            "it by hand: " +
                                advised("ls-remote " + remote_));
  }
  const auto tip = parse_ls_remote(results[0].out, ref);
  if (!tip) {
    throw Error(fmt::format("the remote {} has no branch {}", remote_, branch_),
                "push the branch, or name another one with --branch");
  }
  return parse_for_each_ref(results[1].out, ref, *tip);
}

std::optional<CommitId> GitReader::checked_out_branch() const {
  const std::filesystem::path git = directory() / ".git";
  const std::string ref = remote_ref();
  if (read_regular_file(git / "HEAD") != "ref: " + ref + "\n") {
    return std::nullopt;
  }
  const auto content = read_regular_file(git / ref);
  if (!content || !content->ends_with('\n')) {
    return std::nullopt;
  }
  return CommitId::parse(trimmed(*content));
}

bool GitReader::has_commit(const CommitId& id) const {
  return runner_
      ->run(command("looking for commit " + id.str(),
                    {"cat-file", "-e", id.str() + "^{commit}"}))
      .status.success();
}

CommitId GitReader::current_commit() const {
  const std::string answer =
      ask("looking at the checked out commit",
          {"rev-parse", "--verify", "--end-of-options", "HEAD"});
  const auto commit = CommitId::parse(trimmed(answer));
  if (!commit) {
    throw Error("unexpected output from git rev-parse: '" + answer + "'");
  }
  return *commit;
}

std::optional<std::string> GitReader::current_branch() const {
  const CommandResult result =
      runner_->run(command("looking at the checked out branch",
                           {"symbolic-ref", "--quiet", "--short", "HEAD"}));
  const std::string branch(trimmed(result.out));
  return branch.empty() ? std::nullopt : std::optional(branch);
}

Divergence GitReader::compare(const CommitId& ours,
                              const CommitId& theirs) const {
  return parse_divergence(ask("comparing the checkout with the remote",
                              {"rev-list", "--left-right", "--count",
                               fmt::format("{}...{}", ours, theirs), "--"}));
}

std::string GitReader::subject(const CommitId& id) const {
  return std::string(trimmed(ask(
      "reading the subject of " + id.str(),
      {"log", "-1", "--no-show-signature", "--format=%s", id.str(), "--"})));
}

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

std::string GitReader::read_blob(const std::string& id,
                                 std::size_t longest) const {
  Command read =
      command("reading a file of the repository", {"cat-file", "blob", id});
  read.context.longest_answer = longest;
  return run_checked(read).out;
}

std::map<std::string, std::string> GitReader::read_files(
    const CommitId& commit, const Paths& paths) const {
  std::map<std::string, std::string> contents;
  for (const auto& [path, entry] : list_tree(commit.str(), paths)) {
    TreeEntry file = entry;
    std::filesystem::path place = path;
    for (int i = 0; file.is_link() && i < longest_link_chain; ++i) {
      place = (place.parent_path() / read_blob(file.id)).lexically_normal();
      const auto found = list_tree(commit.str(), {place.string()});
      file = found.empty() ? TreeEntry{} : found.begin()->second;
    }
    if (file.mode.starts_with("100")) {
      contents[path] = read_blob(file.id);
    }
  }
  return contents;
}

std::vector<LocalChange> GitReader::local_changes() const {
  return parse_status(
      ask("looking for local changes",
          {"status", "--porcelain=v1", "-z", "--untracked-files=normal",
           "--no-renames", "--ignore-submodules=all"}));
}

Paths GitReader::changed_paths(const CommitId& from, const CommitId& to) const {
  const std::string diff = ask("comparing two commits",
                               {"diff-tree", "-r", "-z", "--name-only",
                                "--no-renames", from.str(), to.str(), "--"});
  const auto paths = split(diff, '\0');
  return {paths.begin(), paths.end()};
}

Paths GitReader::untracked_files(const std::set<std::string>& folders) const {
  Paths files;
  const std::string listing =
      ask("looking for untracked files",
          {"ls-files", "-z", "--others", "--directory", "--full-name"});
  for (const std::string_view path : split(listing, '\0')) {
    const std::size_t slash = path.rfind('/');
    const std::string folder(
        slash == std::string_view::npos ? "" : path.substr(0, slash));
    if (!path.ends_with('/') && folders.contains(folder)) {
      files.emplace_back(path);
    }
  }
  return files;
}

void GitReader::verify_signature(const CommitId& commit) const {
  const Command verify = command("checking the signature of " + commit.str(),
                                 {"verify-commit", commit.str()});
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
  const std::string own(trimmed(ask("looking for the object directory",
                                    {"rev-parse", "--git-path", "objects"})));
  GitReader aside = *this;
  Variables& variables = aside.context_.variables;
  variables["GIT_OBJECT_DIRECTORY"] = objects;
  variables["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = c_quoted(directory() / own);
  aside.ask(fmt::format("fetching {} of {} aside", branch_, remote_),
            {"fetch", "--quiet", "--no-write-fetch-head", "--no-tags",
             "--refmap=", "--no-auto-maintenance", "--no-recurse-submodules",
             "--", remote_, remote_ref()});
  return aside;
}

std::vector<Paths> batches_of(const Paths& paths) {
  std::vector<Paths> batches;
  for (const std::string& path : paths) {
    if (batches.empty() || batches.back().size() == paths_per_command) {
      batches.emplace_back();
    }
    batches.back().push_back(path);
  }
  return batches;
}

Words joined(Words first, const Words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace deployment
