#include "lib/checkout/git_reader.hpp"

#include <array>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

// Shortens a subject, which may be all of a long message, or a name.
std::string bounded(std::string_view text) {
  constexpr std::size_t longest = 1000;
  return text.size() <= longest ? std::string(text)
                                : fmt::format("{}…", text.substr(0, longest));
}
// Paths that are gone through one by one: untracked ones may be many.
constexpr std::size_t longest_listing = 16 << 20;

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

std::string GitReader::ask(std::string purpose, Words arguments,
                           std::size_t longest) const {
  Command asking = command(std::move(purpose), std::move(arguments));
  asking.context.longest_answer = longest;
  return run_checked(asking).out;
}

CommandResult GitReader::run_checked(const Command& command) const {
  CommandResult result = runner_->run(command);
  require_success(command, result);
  return result;
}

void GitReader::require_success(const Command& command,
                                const CommandResult& result) const {
  if (!result.status.success()) {
    throw CommandError(command, result, advice_about(result.err));
  }
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

std::string GitReader::remote_url() const {
  return std::string(trimmed(ask("looking for the address of " + remote_,
                                 {"ls-remote", "--get-url", "--", remote_})));
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
  const std::string ref = remote_ref();
  if (checkout().read_regular_file(".git/HEAD", longest_line) !=
      "ref: " + ref + "\n") {
    return std::nullopt;
  }
  const std::string file = ".git/" + ref;
  const auto content = checkout().read_regular_file(file, longest_line);
  if (!content) {
    return checkout().has(file) ? std::nullopt : packed_branch();
  }
  return content->ends_with('\n') ? CommitId::parse(trimmed(*content))
                                  : std::nullopt;
}

std::optional<CommitId> GitReader::packed_branch() const {
  constexpr std::size_t most = 1 << 20;
  try {
    const auto refs = checkout().read_regular_file(".git/packed-refs", most);
    return refs ? parse_packed_refs(*refs, remote_ref()) : std::nullopt;
  } catch (const Error&) {  // git reads more
    return std::nullopt;
  }
}

bool GitReader::has_commit(const CommitId& id) const {
  return runner_
      ->run(command(
          "looking for commit " + id.str(),
          {"rev-list", "--objects", "--quiet", id.str(), "--not", "--all"}))
      .status.success();
}

CommitId GitReader::current_commit() const {
  const std::string answer =
      ask("looking at the checked out commit",
          {"rev-parse", "--verify", "--end-of-options", "HEAD"}, longest_line);
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

int GitReader::count_commits(const CommitId& commit,
                             const std::vector<CommitId>& others) const {
  Words words = {"rev-list", "--count", "--ignore-missing", commit.str()};
  for (const CommitId& other : others) {
    words.push_back("^" + other.str());
  }
  words.emplace_back("--");
  return parse_count(ask("counting commits of the checkout", words));
}

bool GitReader::has_commits_without_ref() const {
  return parse_count(ask("looking for commits without a branch",
                         {"rev-list", "--count", "HEAD", "--not", "--branches",
                          "--tags", "--remotes", "--"})) > 0;
}

Headline GitReader::headline(const CommitId& id) const {
  const std::string answer = ask(
      "reading the subject of " + id.str(),
      {"log", "-1", "--no-show-signature", "--format=%s%n%an", id.str(), "--"});
  std::string_view author = answer;
  const std::string_view subject =
      author.empty() ? "" : take_part(author, '\n');
  return {.subject = bounded(trimmed(subject)),
          .author = bounded(trimmed(author))};
}

std::vector<LocalChange> GitReader::local_changes() const {
  return parse_status(
      ask("looking for local changes",
          {"status", "--porcelain=v1", "-z", "--untracked-files=normal",
           "--no-renames", "--ignore-submodules=all"}));
}

Paths GitReader::changed_paths(const CommitId& from, const CommitId& to,
                               const std::string& kinds) const {
  const std::string diff =
      ask("comparing two commits",
          {"diff-tree", "-r", "-z", "--name-only", "--no-renames",
           "--ignore-submodules=all", "--diff-filter=" + kinds, from.str(),
           to.str(), "--"});
  return parse_paths(diff, "diff-tree");
}

bool GitReader::differ(const CommitId& from, const CommitId& to,
                       const std::vector<std::string>& paths) const {
  Words words = {"diff-tree", "-r",     "--quiet", "--ignore-submodules=none",
                 from.str(),  to.str(), "--"};
  words.insert(words.end(), paths.begin(), paths.end());
  const Command question =
      command(fmt::format("comparing {} with {}", from, to), words);
  const CommandResult result = runner_->run(question);
  const bool differs = result.status.signal == 0 && result.status.code == 1;
  if (!differs && !result.status.success()) {
    throw CommandError(question, result, advice_about(result.err));
  }
  return differs;
}

Paths GitReader::untracked_files_at(const Paths& paths) const {
  const Words list = {"ls-files", "-z", "--others", "--full-name", "--"};
  std::string listing;
  for (const Paths& some : batches_of(paths)) {
    listing +=
        ask("looking for untracked files", joined(list, some), longest_listing);
  }
  return parse_paths(listing, "ls-files");
}

Paths GitReader::untracked_files(const Paths& patterns) const {
  Words arguments = {"ls-files", "-z", "--others", "--full-name", "--"};
  for (const std::string& pattern : patterns) {
    arguments.push_back(":(glob)" + pattern);
  }
  Command listing = command("looking for untracked files", arguments);
  listing.context.variables["GIT_LITERAL_PATHSPECS"] = "0";
  listing.context.longest_answer = longest_listing;
  Paths files = parse_paths(run_checked(listing).out, "ls-files");
  // A repository in a folder is listed by the folder's name.
  std::erase_if(files, [](const auto& path) { return path.ends_with('/'); });
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
  variables["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = c_quoted(own);
  aside.ask(fmt::format("fetching {} of {} aside", branch_, remote_),
            {"fetch", "--quiet", "--no-write-fetch-head", "--no-tags",
             "--refmap=", "--no-auto-maintenance", "--no-recurse-submodules",
             "--", remote_, remote_ref()});
  return aside;
}

void GitReader::lay_out_aside(const CommitId& commit, const Paths& files,
                              const std::filesystem::path& folder) const {
  const std::string tree = folder / "tree";
  write_aside({"read-tree", commit.str()}, {}, folder);
  // Not by GIT_WORK_TREE: filters start in the work tree, and may be its files.
  const Words write = {"checkout-index", "--prefix=" + tree + "/", "--"};
  for (const Paths& some : batches_of(files)) {
    write_aside(write, some, folder);
  }
}

void GitReader::write_aside(const Words& words, const Paths& files,
                            const std::filesystem::path& folder) const {
  // Hooks and monitors are for the index of the checkout.
  const Words quiet = {"-c", "core.hooksPath=/dev/null", "-c",
                       "core.fsmonitor=false"};
  Command write = command("laying out files in " + folder.string(),
                          joined(joined(quiet, words), files));
  write.context.variables["GIT_INDEX_FILE"] = folder / "index";
  const CommandResult result = runner_->run(write);
  if (!result.status.success()) {
    write.arguments = words;  // there may be thousands of files
    throw CommandError(
        write, result,
        advice_about(result.err)
            .value_or(fmt::format(
                "the next run tries again; {} needs room for the files that "
                "the move was at, or TMPDIR has to name another folder",
                folder.parent_path().string())));
  }
}

}  // namespace deployment
