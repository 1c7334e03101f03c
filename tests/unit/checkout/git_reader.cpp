#include "lib/checkout/git_reader.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::string_literals;
using Paths = std::vector<std::string>;
using Changes = std::vector<LocalChange>;

TEST_CASE("the tip is that of the very ref that was asked for") {
  const std::string text = id('a') + "\trefs/heads/old/refs/heads/prod\n" +
                           id('b') + "\trefs/heads/prod\n";
  CHECK(parse_ls_remote(text, "refs/heads/prod") == commit('b'));
  CHECK_FALSE(parse_ls_remote(text, "refs/heads/other").has_value());
  CHECK_FALSE(parse_ls_remote("", "refs/heads/prod").has_value());
}

TEST_CASE("text that ls-remote never prints is refused") {
  for (const std::string& text :
       {"garbage\n"s, id('a') + "\n", "abc\trefs/heads/prod\n"s, "\n"s,
        "ref: refs/heads/prod\tHEAD\n"s}) {
    INFO(text);
    CHECK(contains(
        message_of<Error>([&] { parse_ls_remote(text, "refs/heads/prod"); }),
        "unexpected output from git ls-remote"));
  }
}

// The heads of a checkout whose branch is at `local`, and whose remote is at c.
Heads heads(std::optional<CommitId> local, std::optional<CommitId> tracking,
            bool on_branch) {
  return {.tip = commit('c'),
          .local = std::move(local),
          .tracking = std::move(tracking),
          .on_branch = on_branch};
}

Heads parse_refs(const std::string& text) {
  return parse_for_each_ref(text, "refs/heads/prod", commit('c'));
}

TEST_CASE("branch and remote-tracking branch are told apart") {
  CHECK(parse_refs("* " + id('a') + " refs/heads/prod\n  " + id('b') +
                   " refs/remotes/origin/prod\n") ==
        heads(commit('a'), commit('b'), true));
  CHECK(parse_refs("  " + id('a') + " refs/heads/prod\n") ==
        heads(commit('a'), {}, false));
  CHECK(parse_refs("  " + id('b') + " refs/remotes/origin/prod\n") ==
        heads({}, commit('b'), false));
  CHECK(parse_refs("") == heads({}, {}, false));
}

TEST_CASE("a branch below the asked one is another branch") {
  CHECK(parse_refs("* " + id('a') + " refs/heads/prod/next\n") ==
        heads({}, {}, false));
}

TEST_CASE("text that for-each-ref never prints is refused") {
  for (const std::string& text :
       {"garbage\n"s, "* abc refs/heads/prod\n"s, "*"s, "\n"s,
        "*" + id('a') + " refs/heads/prod\n", "* " + id('a')}) {
    INFO(text);
    CHECK_THROWS_AS(parse_refs(text), Error);
  }
}

TEST_CASE("both counts of a comparison are read") {
  const Divergence divergence = parse_divergence("12\t3\n");
  CHECK(divergence.ours == 12);
  CHECK(divergence.theirs == 3);
  for (const char* text : {"", "12", "12 3", "\t", "1\t", "\t1", "x\t1",
                           "1\t2\t3", "99999999999\t0", "-1\t0"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_divergence(text), Error);
  }
}

TEST_CASE("changed and untracked files of any name are listed") {
  CHECK(parse_status("").empty());
  CHECK(parse_status(" M a b\0?? new\nline\0A  ä\0?? dir/\0MM x\0D  gone\0"s) ==
        Changes{{"a b"}, {"new\nline"}, {"ä"}, {"dir/"}, {"x"}, {"gone"}});
}

TEST_CASE("a file that is only missing from the work tree is told apart") {
  CHECK(parse_status(" D missing\0 M there\0D  gone\0"s) ==
        Changes{{.path = "missing", .missing = true}, {"there"}, {"gone"}});
}

TEST_CASE("text that status never prints is refused") {
  for (const std::string& text : {"x\0"s, " M\0"s, "abcdef\0"s, "\0"s}) {
    CHECK_THROWS_AS(parse_status(text), Error);
  }
}

TEST_CASE("the entries of a tree are read by path") {
  const auto entries = parse_ls_tree("100644 blob " + id('a') + "\ta\tb\0"s +
                                     "120000 blob " + id('b') + "\tl\0"s);
  REQUIRE(entries.size() == 2);
  CHECK(entries.at("a\tb").id == id('a'));
  CHECK(entries.at("l").mode == "120000");
  for (const std::string& text :
       {"100644 blob " + id('a'), "100644 " + id('a') + "\tx", "\tx"s,
        "100644 blob abc\tx"s}) {
    CHECK_THROWS_AS(parse_ls_tree(text), Error);
  }
}

TEST_CASE("a list of more entries than memory has room for is refused") {
  const auto repeated = [](const std::string& entry, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += entry;
    }
    return text;
  };
  const std::string change = "?? a\0"s;
  const std::string entry = "100644 blob " + id('a') + "\ta\0"s;
  CHECK(parse_status(repeated(change, most_entries)).size() == most_entries);
  CHECK(message_of<Error>([&] {
          parse_status(repeated(change, most_entries + 1));
        }) == "git status printed more than 100000 entries");
  CHECK_THROWS_AS(parse_ls_tree(repeated(entry, most_entries + 1)), Error);
  CHECK(parse_paths("a\0b\n\0"s, "diff-tree") == Paths{"a", "b\n"});
  CHECK_THROWS_AS(parse_paths(std::string(most_entries + 1, '\0'), "diff-tree"),
                  Error);
}

TEST_CASE("paths go to git in commands of 256 KiB, in their order") {
  struct Case {
    std::size_t paths;
    std::vector<std::size_t> sizes;
  };
  for (const Case& c : {Case{0, {}}, Case{1, {1}}, Case{255, {255}},
                        Case{256, {256}}, Case{257, {256, 1}},
                        Case{512, {256, 256}}, Case{600, {256, 256, 88}}}) {
    INFO(c.paths);
    Paths paths;
    while (paths.size() < c.paths) {
      // With its end and the pointer to it 1 KiB.
      paths.push_back(fmt::format("{:01015}", paths.size()));
    }
    Paths together;
    std::vector<std::size_t> sizes;
    for (const Paths& batch : batches_of(paths)) {
      sizes.push_back(batch.size());
      together = joined(together, batch);
    }
    CHECK(sizes == c.sizes);
    CHECK((together == paths));
  }
  CHECK(batches_of(Paths(4000, "folder/file")).size() == 1);
  CHECK(batches_of({std::string(1 << 20, 'x'), "y"}).size() == 2);
}

// A context in `checkout`, which need not be there.
Context context_in(const std::filesystem::path& checkout) {
  return {.directory = checkout, .top = std::make_shared<Directory>(checkout)};
}

GitReader reader(FakeRunner& runner) {
  return {runner, context_in("/app"), "origin", "prod"};
}

TEST_CASE("the tree of no paths asks git nothing") {
  FakeRunner runner;
  CHECK(reader(runner).list_tree("HEAD", {}).empty());
  CHECK(runner.asked.empty());
}

TEST_CASE("more paths than a command takes are one list of entries") {
  FakeRunner runner([](const Command& command) {
    return printed("100644 blob " + id('a') + '\t' + command.arguments.back() +
                   '\0');
  });
  Paths paths(1000, std::string(300, '/') + "first");
  paths.emplace_back("last");
  const auto entries = reader(runner).list_tree("HEAD", paths);
  CHECK(runner.asked.size() == 2);
  CHECK(entries.size() == 2);
  CHECK(entries.contains(paths.front()));
  CHECK(entries.contains("last"));
}

TEST_CASE("laying out that fails says where it needs room, and not all files") {
  FakeRunner runner;
  runner.answer("checkout-index", failed(1, "error: unable to write file\n"));
  const auto error = error_of<CommandError>([&] {
    reader(runner).lay_out_aside(commit('a'), Paths(4000, "file"), "/aside/b");
  });
  CHECK(error.what() ==
        "laying out files in /aside/b failed: git checkout-index "
        "--prefix=/aside/b/tree/ -- exited with code 1\n"
        "error: unable to write file"s);
  CHECK(error.advice() ==
        "the next run tries again; /aside needs room for the files that the "
        "move was at, or TMPDIR has to name another folder");
}

TEST_CASE("laying out that meets lost objects names the repair") {
  FakeRunner runner;
  runner.answer("checkout-index",
                failed(1, "error: unable to read sha1 file\n"));
  runner.answer("git fsck", failed(3));
  const auto error = error_of<CommandError>(
      [&] { reader(runner).lay_out_aside(commit('a'), {"x"}, "/aside/b"); });
  CHECK(contains(error.advice().value_or(""), "the repository is damaged"));
}

TEST_CASE("untracked files are listed by patterns, and no repositories") {
  FakeRunner runner([](const Command& command) {
    CHECK(command.context.variables.at("GIT_LITERAL_PATHSPECS") == "0");
    return printed(".env\0web/.envs/\0"s);
  });
  CHECK(reader(runner).untracked_files({".env*", "web/.env*"}) ==
        Paths{".env"});
  CHECK(runner.lines() ==
        Words{"git ls-files -z --others --full-name -- ':(glob).env*' "
              "':(glob)web/.env*'"});
}

TEST_CASE("of a subject the beginning is enough") {
  FakeRunner runner(
      [](const Command&) { return printed(std::string(5000, 's')); });
  CHECK(reader(runner).subject(commit('a')) == std::string(1000, 's') + "…");
}

// Answers the two questions of heads().
class Remote {
 public:
  std::string remote_says = id('b') + "\trefs/heads/prod\n";
  CommandResult failure = {};
  std::string checkout_says = "* " + id('a') + " refs/heads/prod\n";

  FakeRunner runner = FakeRunner([this](const Command& command) {
    if (command.arguments.at(0) == "ls-remote") {
      CommandResult result = failure;
      result.out = remote_says;
      return result;
    }
    return CommandResult{.out = checkout_says};
  });

  Heads heads(const std::filesystem::path& checkout = "/app") {
    return GitReader(runner, context_in(checkout), "origin", "prod").heads();
  }
};

TEST_CASE("a look is one question to the remote and one to the checkout") {
  Remote remote;
  CHECK(remote.heads() ==
        Heads{.tip = commit('b'), .local = commit('a'), .on_branch = true});
  CHECK(remote.runner.lines() ==
        Paths{"git ls-remote --heads -- origin refs/heads/prod",
              "git for-each-ref '--format=%(HEAD) %(objectname) %(refname)' "
              "-- refs/heads/prod refs/remotes/origin/prod"});
}

TEST_CASE("a checkout whose files say that it is at the tip needs no git") {
  const Folder checkout;
  write_file(checkout / ".git/HEAD", "ref: refs/heads/prod\n");
  write_file(checkout / ".git/refs/heads/prod", id('b') + "\n");
  Remote remote;
  CHECK(remote.heads(checkout.path()) ==
        Heads{.tip = commit('b'), .local = commit('b'), .on_branch = true});
  CHECK(remote.runner.lines() ==
        Paths{"git ls-remote --heads -- origin refs/heads/prod"});
}

TEST_CASE("a branch that is packed needs no git either") {
  const Folder checkout;
  write_file(checkout / ".git/HEAD", "ref: refs/heads/prod\n");
  write_file(checkout / ".git/packed-refs",
             "# pack-refs with: peeled fully-peeled sorted \n" + id('a') +
                 " refs/heads/old/refs/heads/prod\n" + id('b') +
                 " refs/heads/prod\n" + id('c') + " refs/tags/1\n^" + id('d') +
                 "\n");
  Remote remote;
  CHECK(remote.heads(checkout.path()) ==
        Heads{.tip = commit('b'), .local = commit('b'), .on_branch = true});
  CHECK(remote.runner.lines().size() == 1);
}

TEST_CASE("a branch of its own hides the packed one, be it a link") {
  const Folder checkout;
  write_file(checkout / ".git/HEAD", "ref: refs/heads/prod\n");
  write_file(checkout / ".git/packed-refs", id('b') + " refs/heads/prod\n");
  write_file(checkout / ".git/refs/heads/other", id('a') + "\n");
  std::filesystem::create_symlink("other", checkout / ".git/refs/heads/prod");
  Remote remote;
  CHECK(remote.heads(checkout.path()).local == commit('a'));
  CHECK(remote.runner.lines().size() == 2);
}

TEST_CASE("git reads packed refs of more than a MiB") {
  const Folder checkout;
  write_file(checkout / ".git/HEAD", "ref: refs/heads/prod\n");
  write_file(checkout / ".git/packed-refs",
             std::string(1 << 20, '\n') + id('b') + " refs/heads/prod\n");
  Remote remote;
  CHECK(remote.heads(checkout.path()).local == commit('a'));
  CHECK(remote.runner.lines().size() == 2);
}

TEST_CASE("what the checkout's files do not say, or is not the tip, git says") {
  struct Case {
    std::string head;
    std::string branch;
  };
  const std::string at_branch = "ref: refs/heads/prod\n";
  for (const Case& c :
       {Case{at_branch, id('a') + "\n"}, Case{at_branch, id('b')},
        Case{at_branch, ""}, Case{at_branch, "ref: refs/heads/other\n"},
        Case{at_branch, id('b').substr(1) + "\n"},
        Case{id('b') + "\n", id('b') + "\n"},
        Case{"ref: refs/heads/production\n", id('b') + "\n"}}) {
    INFO(c.head << c.branch);
    const Folder checkout;
    write_file(checkout / ".git/HEAD", c.head);
    write_file(checkout / ".git/refs/heads/prod", c.branch);
    Remote remote;
    CHECK(remote.heads(checkout.path()) ==
          Heads{.tip = commit('b'), .local = commit('a'), .on_branch = true});
    CHECK(remote.runner.lines().size() == 2);
  }
}

TEST_CASE("no line of git's is longer than 4 KiB") {
  for (const char* file : {".git/HEAD", ".git/refs/heads/prod"}) {
    const Folder checkout;
    write_file(checkout / ".git/HEAD", "ref: refs/heads/prod\n");
    write_file(checkout / file, std::string(4097, '\n'));
    Remote remote;
    CHECK(message_of<Error>([&] { remote.heads(checkout.path()); }) ==
          (checkout / file).string() + " is longer than 4096 bytes");
  }
}

TEST_CASE(
    "git never asks at a terminal, takes names literally, speaks English") {
  Remote remote;
  remote.heads();
  for (const Command& command : remote.runner.asked) {
    CHECK(command.context.variables.at("GIT_TERMINAL_PROMPT") == "0");
    CHECK(command.context.variables.at("GIT_LITERAL_PATHSPECS") == "1");
    CHECK(command.context.variables.at("GIT_OPTIONAL_LOCKS") == "0");
    CHECK(command.context.variables.at("LC_ALL") == "C");
  }
}

TEST_CASE("a remote that cannot be asked is told from one without branch") {
  Remote away;
  away.failure = {.status = {.code = 128}, .err = "no route to host\n"};
  away.remote_says = "";
  const auto error = error_of<RemoteUnreachable>([&] { away.heads(); });
  CHECK(error.what() ==
        "asking origin for branch prod failed: git ls-remote "
        "--heads -- origin refs/heads/prod exited with code 128\n"
        "no route to host"s);
  CHECK(contains(error.advice().value_or(""), "git -C /app ls-remote origin"));

  Remote empty;
  empty.remote_says = "";
  CHECK(message_of<Error>([&] { empty.heads(); }) ==
        "the remote origin has no branch prod");
}

// A checkout that belongs to `user`, nullopt: to who runs the program.
Context checkout_of(const std::optional<std::string>& user) {
  Context context = context_in("/app");
  if (user) {
    context.user.emplace().name = *user;
  }
  return context;
}

// Returns the advice when the remote cannot be asked.
std::string advice_of_heads(const std::optional<std::string>& user) {
  Remote away;
  away.failure = failed(128, "no route to host\n");
  const GitReader git(away.runner, checkout_of(user), "origin", "prod");
  return error_of<RemoteUnreachable>([&] { git.heads(); })
      .advice()
      .value_or("");
}

// Returns the advice when git fails with `words`.
std::string advice_after(const std::string& words,
                         const std::optional<std::string>& user,
                         const CommandResult& fsck = failed(3)) {
  FakeRunner runner([&](const Command&) { return failed(128, words); });
  runner.answer("git fsck", fsck);
  const GitReader git(runner, checkout_of(user), "origin", "prod");
  return error_of<CommandError>([&] { git.current_commit(); })
      .advice()
      .value_or("");
}

TEST_CASE("root is advised to run git as the owner of the checkout") {
  const std::string by_hand =
      "nothing was changed; the next run asks again. Try it by hand: ";
  CHECK(advice_of_heads("deploy") ==
        by_hand + "runuser -u deploy -- git -C /app ls-remote origin");
  CHECK(advice_of_heads({}) == by_hand + "git -C /app ls-remote origin");
}

TEST_CASE("root is advised to repair the objects as the owner") {
  const std::string words = "error: object file .git/objects/0a/1b is empty\n";
  const std::string repair =
      "the repository is damaged, as after a power loss; fetch its objects "
      "anew: ";
  CHECK(advice_after(words, "deploy") ==
        repair +
            "runuser -u deploy -- mv /app/.git/objects "
            "/app/.git/objects.damaged && "
            "runuser -u deploy -- mkdir /app/.git/objects && "
            "runuser -u deploy -- git -C /app fetch --refetch origin prod");
  CHECK(advice_after(words, {}) ==
        repair +
            "mv /app/.git/objects /app/.git/objects.damaged && "
            "mkdir /app/.git/objects && git -C /app fetch --refetch origin "
            "prod");
  CHECK(advice_after("fatal: not a git repository\n", "deploy").empty());
}

TEST_CASE("a repository is called damaged only when git fsck finds that") {
  const CommandResult hung = {.status = {.signal = 15, .timed_out = true}};
  for (const char* words : {"fatal: bad object 0a1b\n",
                            "error: object file .git/objects/0a is empty\n"}) {
    CHECK(contains(advice_after(words, {}), "the repository is damaged"));
    for (const CommandResult& fsck : {printed(""), hung}) {
      const std::string advice = advice_after(words, {}, fsck);
      CHECK(advice.starts_with("git fsck finds no damage in the repository"));
      CHECK(contains(advice, "git -C /app fetch --refetch origin prod"));
      CHECK_FALSE(contains(advice, "mv "));
    }
  }
}

TEST_CASE("git fsck reads the content of files only where some are cut short") {
  struct Case {
    const char* words;
    bool reads_all;
  };
  for (const Case& c : {Case{"fatal: bad object 0a1b\n", false},
                        Case{"fatal: loose object 0a is corrupt\n", true}}) {
    FakeRunner runner([&](const Command&) { return failed(128, c.words); });
    CHECK_THROWS_AS(reader(runner).current_commit(), CommandError);
    CHECK(runner.has_run("git fsck"));
    CHECK(runner.has_run("--connectivity-only") != c.reads_all);
  }
}

TEST_CASE("counts the commits that no other one has") {
  FakeRunner runner([](const Command&) { return printed("7\n"); });
  CHECK(reader(runner).count_commits(commit('a'), {commit('b')}) == 7);
  CHECK(runner.has_run("rev-list --count --ignore-missing " + id('a') + " ^" +
                       id('b') + " --"));
  FakeRunner silent;
  CHECK(message_of<Error>([&] {
          reader(silent).count_commits(commit('a'), {});
        }) == "unexpected output from git rev-list: ''");
}

}  // namespace
}  // namespace deployment
