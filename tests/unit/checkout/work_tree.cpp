#include "lib/checkout/work_tree.hpp"

#include <sys/stat.h>

#include <utility>

#include "lib/process/runner.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

// Files by their paths in the checkout.
using Files = std::map<std::string, std::string>;

GitReader reader(CommandRunner& runner, const fs::path& checkout,
                 Variables variables = {}) {
  return {runner,
          {.directory = checkout,
           .top = std::make_shared<Directory>(checkout),
           .variables = std::move(variables),
           .timeout = std::chrono::seconds(60)},
          "origin",
          "prod"};
}

// A checkout with these files.
class Checkout : public Folder {
 public:
  explicit Checkout(const Files& files = {}) {
    for (const auto& [path, text] : files) {
      write_file(*this / path, text);
    }
  }
};

// A checkout of `a`, of which git says what the test wants.
struct Moving {
  std::string_view status;   // as `git status -z` has it
  std::string_view changed;  // between a and b, as `git diff-tree -z` has it

  Paths in_the_way(const Checkout& checkout) {
    runner.answer("status", printed(std::string(status)));
    runner.answer("diff-tree", printed(std::string(changed)));
    return changes_in_the_way(reader(runner, checkout.path()), commit('a'),
                              commit('b'));
  }

  Paths left(const Checkout& checkout) {
    runner.answer("status", printed(std::string(status)));
    runner.answer("diff-tree", printed(std::string(changed)));
    return changes_of_stopped_move(reader(runner, checkout.path()), commit('a'),
                                   commit('b'));
  }

  FakeRunner runner = {};
};

struct InTheWay {
  const char* what;
  std::string_view status;
  std::string_view changed;
  Files files;
  Paths expected;
};

void check(const std::vector<InTheWay>& rows) {
  for (const InTheWay& row : rows) {
    INFO(row.what);
    Moving moving{.status = row.status, .changed = row.changed};
    CHECK(moving.in_the_way(Checkout(row.files)) == row.expected);
  }
}

TEST_CASE("a local change of a file that the commit changes is in the way") {
  check({{"changed here and there", " M x\0"sv, "x\0"sv, {}, {"x"}},
         {"changed here only", " M x\0"sv, "y\0"sv, {}, {}},
         {"changed there only", ""sv, "x\0"sv, {}, {}},
         {"names that begin alike", " M ab\0"sv, "a\0abc\0"sv, {}, {}},
         {"new here and there", "?? x\0"sv, "x\0"sv, {{"x", ""}}, {"x"}},
         {"removed here, on purpose", "D  x\0"sv, "x\0"sv, {}, {"x"}},
         {"several, each once and sorted",
          " M d/z\0 M c\0 M x\0?? a\0"sv,
          "a\0d/z\0d\0x\0"sv,
          {},
          {"a", "d/z", "x"}}});
}

TEST_CASE("a file that is only missing is not in the way") {
  check(
      {{"missing", " D x\0"sv, "x\0"sv, {}, {}},
       {"beside one that is changed", " D x\0 M y\0"sv, "x\0y\0"sv, {}, {"y"}},
       {"a folder is there instead",
        " D x\0?? x/\0"sv,
        "x\0"sv,
        {{"x/mine", ""}},
        {"x"}}});
}

TEST_CASE("a stopped move may have left a file that is missing") {
  Moving moving{.status = " D x\0 D y\0 M z\0"sv, .changed = "x\0z\0"sv};
  CHECK(moving.left(Checkout()) == Paths{"x", "z"});
}

TEST_CASE(
    "of a folder of untracked files those that are there are in the way") {
  check(
      {{"one of two",
        "?? dir/\0"sv,
        "dir/x\0dir/y\0"sv,
        {{"dir/x", ""}, {"dir/mine", ""}},
        {"dir/x"}},
       {"none", "?? dir/\0"sv, "dir/y\0"sv, {{"dir/mine", ""}}, {}},
       {"deeper", "?? dir/\0"sv, "dir/a/x\0"sv, {{"dir/a/x", ""}}, {"dir/a/x"}},
       {"names that begin alike",
        "?? dir/\0"sv,
        "dir2/x\0"sv,
        {{"dir/x", ""}, {"dir2/x", ""}},
        {}}});
}

TEST_CASE("a link to nothing in a folder of untracked files is in the way") {
  const Checkout checkout;
  fs::create_directory(checkout / "dir");
  fs::create_symlink("nothing", checkout / "dir/x");
  Moving moving{.status = "?? dir/\0"sv, .changed = "dir/x\0"sv};
  CHECK(moving.in_the_way(checkout) == Paths{"dir/x"});
}

TEST_CASE("a file behind a link in a folder of untracked files is in the way") {
  const Checkout checkout;
  fs::create_directory(checkout / "dir");
  fs::create_symlink("/", checkout / "dir/link");
  Moving moving{.status = "?? dir/\0"sv, .changed = "dir/link/x\0"sv};
  CHECK(moving.in_the_way(checkout) == Paths{"dir/link/x"});
}

TEST_CASE("a file that becomes a folder is in the way, and the reverse") {
  check({{"a changed file becomes a folder",
          " M a\0"sv,
          "a\0a/b\0"sv,
          {{"a", ""}},
          {"a"}},
         {"an untracked file becomes one", "?? a\0"sv, "a/b\0"sv, {}, {"a"}},
         {"a folder with a changed file becomes a file",
          " M a/b\0"sv,
          "a\0"sv,
          {{"a/b", ""}},
          {"a/b"}},
         {"a folder of untracked files becomes a file",
          "?? a/\0"sv,
          "a\0"sv,
          {{"a/mine", ""}},
          {"a"}}});
}

TEST_CASE("git is asked only for what may be in the way") {
  const Checkout checkout;
  const std::string commits = " " + id('a') + " " + id('b') + " --";
  Moving clean{.status = " D x\0"sv, .changed = "x\0"sv};
  clean.in_the_way(checkout);
  CHECK_FALSE(clean.runner.has_run("--diff-filter= " + id('a')));
  CHECK(clean.runner.has_run("--diff-filter=A" + commits));
  CHECK_FALSE(clean.runner.has_run("ls-files"));
  Moving dirty{.status = " M x\0"sv, .changed = "x\0"sv};
  dirty.in_the_way(checkout);
  CHECK(dirty.runner.has_run("--diff-filter=" + commits));
}

// A checkout whose files git says nothing of, and a commit that adds a file.
struct Added {
  const char* what;
  std::string added;
  Files files;
  std::string obstacle;  // of which git is asked whether it tracks it
};

TEST_CASE("an untracked file where the commit adds one is in the way") {
  for (const Added& row :
       {Added{"a file", "d/x", {{"d/x", ""}}, "d/x"},
        Added{"a file for a folder", "d/e/x", {{"d", ""}}, "d"},
        Added{"a folder for a file", "d", {{"d/x", ""}}, "d"}}) {
    INFO(row.what);
    const Checkout checkout(row.files);
    Moving moving{.status = {}, .changed = {}};
    moving.runner.answer("ls-files",
                         printed("one/of/them" + std::string(1, '\0')));
    const std::string added = row.added + '\0';
    moving.changed = added;
    CHECK(moving.in_the_way(checkout) == Paths{"one/of/them"});
    CHECK(moving.runner.has_run(" -- " + row.obstacle));
  }
}

TEST_CASE("a link where the commit has a folder is in the way") {
  const Checkout checkout;
  fs::create_directory_symlink("/", checkout / "d");
  Moving moving{.status = {}, .changed = "d/tmp\0"sv};
  moving.in_the_way(checkout);
  CHECK(moving.runner.lines().back().ends_with(" -- d"));
}

// A repository with real git. Its work tree is what a killed move to a commit
// left, so the test makes it.
class Repository : public Folder {
 public:
  Repository() { git({"init", "-q"}); }

  std::string git(const Words& arguments) const {
    return runner_
        .run_checked({.purpose = "testing",
                      .program = "git",
                      .arguments = arguments,
                      .context = {.directory = path(),
                                  .variables = variables_,
                                  .timeout = std::chrono::seconds(60)}})
        .out;
  }

  // Commits the work tree, which is empty after that.
  CommitId commit() const {
    git({"add", "--all"});
    git({"commit", "-q", "--allow-empty", "-m", "A commit"});
    for (const fs::path& path : fs::directory_iterator(this->path())) {
      if (path.filename() != ".git") {
        fs::remove_all(path);
      }
    }
    return *CommitId::parse(git({"rev-parse", "HEAD"}).substr(0, 40));
  }

  CommitId commit(const Files& files) const {
    for (const auto& [name, text] : files) {
      write_file(*this / name, text);
    }
    return commit();
  }

  Paths half_written(const CommitId& to, const Paths& paths) const {
    return half_written(path(), to, paths);
  }

  Paths half_written(const fs::path& checkout, const CommitId& to,
                     const Paths& paths) const {
    return half_written_files(reader(runner_, checkout, variables_), to, paths);
  }

  bool is_half_written(const std::string& name, const CommitId& to) const {
    const Paths found = half_written(to, {name});
    CHECK((found.empty() || found == Paths{name}));
    return !found.empty();
  }

 private:
  Variables variables_ = {
      {"PATH", "/usr/bin:/bin"},      {"HOME", path()},
      {"GIT_CONFIG_NOSYSTEM", "1"},   {"GIT_AUTHOR_NAME", "A"},
      {"GIT_AUTHOR_EMAIL", "a@b"},    {"GIT_COMMITTER_NAME", "A"},
      {"GIT_COMMITTER_EMAIL", "a@b"}, {"GIT_ALLOW_PROTOCOL", "none"}};
  TextLog log_;
  mutable ProcessRunner runner_{log_.log};
};

TEST_CASE("a file with the beginning of the commit's is half-written") {
  const Repository repository;
  const CommitId to = repository.commit({{"x", "the text\nof b\n"}});
  const auto has = [&](const std::string& text) {
    write_file(repository / "x", text);
    return repository.is_half_written("x", to);
  };
  CHECK(has(""));
  CHECK(has("the te"));
  CHECK(has("the text\n"));
  CHECK(has("the text\nof b\n"));
  CHECK_FALSE(has("the text\nof b\nand mine\n"));
  CHECK_FALSE(has("mine"));
  CHECK_FALSE(has("he text\nof b\n"));
  CHECK_FALSE(has("the text\nof a\n"));
}

TEST_CASE("an empty file of the commit is half-written only when it is empty") {
  const Repository repository;
  const CommitId to = repository.commit({{"x", ""}});
  write_file(repository / "x", "");
  CHECK(repository.is_half_written("x", to));
  write_file(repository / "x", "m");
  CHECK_FALSE(repository.is_half_written("x", to));
}

TEST_CASE("files of any length are compared to their last byte") {
  for (const std::size_t size : {8191U, 8192U, 8193U, 16384U, 1U << 20}) {
    INFO(size);
    const Repository repository;
    std::string text(size, 'x');
    const CommitId to = repository.commit({{"x", text + "yz"}});
    write_file(repository / "x", text);
    CHECK(repository.is_half_written("x", to));
    write_file(repository / "x", text + "y");
    CHECK(repository.is_half_written("x", to));
    write_file(repository / "x", text + "yz");
    CHECK(repository.is_half_written("x", to));
    write_file(repository / "x", text + "yzm");
    CHECK_FALSE(repository.is_half_written("x", to));
    text.back() = 'm';
    write_file(repository / "x", text);
    CHECK_FALSE(repository.is_half_written("x", to));
  }
}

TEST_CASE("a file that is gone is half-written, whatever the commit has") {
  const Repository repository;
  CHECK(repository.is_half_written("x", repository.commit({{"x", "text"}})));
  CHECK(repository.is_half_written("x/y", repository.commit({{"y", "text"}})));
}

TEST_CASE("a file that the commit does not have is a person's") {
  const Repository repository;
  const CommitId to = repository.commit({{"y", ""}});
  write_file(repository / "x", "");
  CHECK_FALSE(repository.is_half_written("x", to));
}

TEST_CASE("names of any kind are compared") {
  const Paths names = {
      "a\nnew line", "b \"quoted\"", "c 'so'", "-option", ":(top)x", "é", "*",
      "\\"};
  Files files;
  for (const std::string& name : names) {
    files[name] = "text";
  }
  const Repository repository;
  const CommitId to = repository.commit(files);
  for (const std::string& name : names) {
    write_file(repository / name, "te");
  }
  CHECK(repository.half_written(to, names) == names);
  for (const std::string& name : names) {
    write_file(repository / name, "mine");
  }
  CHECK(repository.half_written(to, names).empty());
}

TEST_CASE("a link is compared by where it leads, and never followed") {
  const Repository repository;
  fs::create_symlink("there", repository / "link");
  const CommitId to = repository.commit({{"there", "text"}, {"file", "text"}});
  const auto leads = [&](const char* target, const std::string& name) {
    write_file(repository / "there", "text");
    fs::remove(repository / name);
    fs::create_symlink(target, repository / name);
    return repository.is_half_written(name, to);
  };
  CHECK(leads("there", "link"));
  CHECK_FALSE(leads("elsewhere", "link"));
  CHECK_FALSE(leads("ther", "link"));
  CHECK_FALSE(leads("there", "file"));
  // A file in the place of a link, with the link's text in it.
  fs::remove(repository / "link");
  write_file(repository / "link", "there");
  CHECK_FALSE(repository.is_half_written("link", to));
}

TEST_CASE("a link to nothing is compared too") {
  const Repository repository;
  fs::create_symlink("nothing", repository / "link");
  const CommitId to = repository.commit();
  fs::create_symlink("nothing", repository / "link");
  CHECK(repository.is_half_written("link", to));
}

TEST_CASE("a file whose executable bit somebody changed is a person's") {
  const Repository repository;
  write_file(repository / "run", "text");
  fs::permissions(repository / "run", fs::perms(0755));
  const CommitId to = repository.commit({{"read", "text"}});
  const auto has = [&](const std::string& name, fs::perms mode) {
    write_file(repository / name, "te");
    fs::permissions(repository / name, mode);
    return repository.is_half_written(name, to);
  };
  CHECK(has("run", fs::perms(0755)));
  CHECK(has("run", fs::perms(0700)));
  CHECK_FALSE(has("run", fs::perms(0644)));
  CHECK(has("read", fs::perms(0644)));
  CHECK(has("read", fs::perms(0600)));
  CHECK_FALSE(has("read", fs::perms(0755)));
}

TEST_CASE("what is neither file nor link is a person's, and blocks nobody") {
  const Repository repository;
  const CommitId to = repository.commit({{"x", ""}});
  REQUIRE(mkfifo((repository / "x").c_str(), 0644) == 0);
  CHECK_FALSE(repository.is_half_written("x", to));
}

TEST_CASE("a folder is half-written when all files in it are") {
  const Repository repository;
  const CommitId to =
      repository.commit({{"x/a", "text of a"}, {"x/sub/b", "text of b"}});
  const auto has = [&](const Files& files) {
    fs::remove_all(repository / "x");
    fs::create_directory(repository / "x");
    for (const auto& [name, text] : files) {
      write_file(repository / name, text);
    }
    return repository.is_half_written("x", to);
  };
  CHECK(has({{"x/a", "text"}, {"x/sub/b", "text of b"}}));
  CHECK(has({{"x/sub/b", ""}}));
  CHECK_FALSE(has({{"x/a", "text"}, {"x/sub/b", "mine"}}));
  CHECK_FALSE(has({{"x/a", "text"}, {"x/mine", ""}}));
  CHECK_FALSE(has({{"x/a", "text"}, {"x/sub/b/mine", ""}}));
  CHECK(has({}));
}

TEST_CASE("a folder in the place of a file is half-written when it is empty") {
  const Repository repository;
  const CommitId to = repository.commit({{"x", "text"}});
  fs::create_directories(repository / "x/sub");
  CHECK(repository.is_half_written("x", to));
  write_file(repository / "x/sub/mine", "text");
  CHECK_FALSE(repository.is_half_written("x", to));
}

TEST_CASE("a file in the place of a folder is a person's") {
  const Repository repository;
  const CommitId to = repository.commit({{"x/a", "text"}});
  write_file(repository / "x", "");
  CHECK_FALSE(repository.is_half_written("x", to));
}

TEST_CASE("what is in the place of a submodule is a person's") {
  const Repository repository;
  repository.git(
      {"update-index", "--add", "--cacheinfo", "160000," + id('a') + ",x"});
  repository.git({"commit", "-q", "-m", "A submodule"});
  const CommitId to =
      *CommitId::parse(repository.git({"rev-parse", "HEAD"}).substr(0, 40));
  fs::create_directory(repository / "x");
  CHECK(repository.is_half_written("x", to));
  write_file(repository / "x/.git", "");
  CHECK_FALSE(repository.is_half_written("x", to));
  fs::remove_all(repository / "x");
  write_file(repository / "x", "");
  CHECK_FALSE(repository.is_half_written("x", to));
}

TEST_CASE("a link to a folder is no folder") {
  const Repository repository;
  const CommitId to =
      repository.commit({{"x/a", "text"}, {"y/link/a", "text"}});
  write_file(repository / "there/a", "text");
  fs::create_directory_symlink("there", repository / "x");
  CHECK_FALSE(repository.is_half_written("x", to));
  CHECK_FALSE(repository.is_half_written("x/a", to));
  fs::create_directory(repository / "y");
  fs::create_directory_symlink("../there", repository / "y/link");
  CHECK_FALSE(repository.is_half_written("y", to));
}

TEST_CASE("of several files those that are half-written come in their order") {
  const Repository repository;
  const CommitId to = repository.commit(
      {{"a", "text of a"}, {"b", "text of b"}, {"c", "text of c"}});
  write_file(repository / "a", "text");
  write_file(repository / "b", "mine");
  write_file(repository / "c", "");
  CHECK(repository.half_written(to, {"c", "gone", "b", "a"}) ==
        Paths{"c", "gone", "a"});
  CHECK(repository.half_written(to, {}).empty());
}

TEST_CASE("of a commit that is not here nothing is half-written") {
  const Repository repository;
  repository.commit({{"x", "text"}});
  CHECK_FALSE(repository.is_half_written("x", commit('b')));
}

TEST_CASE("line endings are compared as a checkout converts them") {
  const Repository repository;
  const bool by_attribute = GENERATE(true, false);
  Files files = {{"x", "one\ntwo\n"}};
  if (by_attribute) {
    files[".gitattributes"] = "x text eol=crlf\n";
  } else {
    repository.git({"config", "core.autocrlf", "true"});
  }
  const CommitId to = repository.commit(files);
  const auto has = [&](const std::string& text) {
    write_file(repository / "x", text);
    return repository.is_half_written("x", to);
  };
  CHECK(has("one\r\ntwo\r\n"));
  CHECK(has("one\r"));
  CHECK_FALSE(has("one\ntwo\n"));
}

TEST_CASE("filters run in the checkout, whose files they may be") {
  const Repository repository;
  write_file(repository / "swap", "tr a-z n-za-m\n");
  repository.git({"config", "filter.swap.smudge", "sh ./swap"});
  repository.git({"config", "filter.swap.clean", "sh ./swap"});
  repository.git({"config", "filter.swap.required", "true"});
  const CommitId to = repository.commit(
      {{".gitattributes", "secret filter=swap\n"}, {"secret", "the text\n"}});
  REQUIRE(repository.git({"cat-file", "blob", "HEAD:secret"}) == "gur grkg\n");
  write_file(repository / "swap", "tr a-z n-za-m\n");
  const auto has = [&](const std::string& text) {
    write_file(repository / "secret", text);
    return repository.is_half_written("secret", to);
  };
  CHECK(has("the te"));
  CHECK(has("the text\n"));
  CHECK_FALSE(has("gur grkg\n"));
  CHECK_FALSE(has("the end\n"));
}

TEST_CASE("a filter that must succeed and fails is an error") {
  const Repository repository;
  const CommitId to = repository.commit(
      {{".gitattributes", "secret filter=swap\n"}, {"secret", "the text\n"}});
  repository.git({"config", "filter.swap.smudge", "false"});
  repository.git({"config", "filter.swap.required", "true"});
  write_file(repository / "secret", "the te");
  CHECK_THROWS_AS(repository.is_half_written("secret", to), CommandError);
}

TEST_CASE("files that a sparse checkout leaves out are compared too") {
  const Repository repository;
  const CommitId to = repository.commit({{"in/x", "text"}, {"out/x", "text"}});
  repository.git({"config", "core.sparseCheckout", "true"});
  write_file(repository / ".git/info/sparse-checkout", "/in/\n");
  write_file(repository / "in/x", "te");
  write_file(repository / "out/x", "te");
  CHECK(repository.half_written(to, {"in/x", "out/x"}) ==
        Paths{"in/x", "out/x"});
}

TEST_CASE("a linked work tree is looked at by its own git") {
  const Repository repository;
  const CommitId to = repository.commit({{"x", "text"}, {"y", "text"}});
  const Folder folder;
  const fs::path linked = folder / "linked";
  repository.git({"worktree", "add", "-q", "--no-checkout", linked});
  write_file(linked / "x", "te");
  write_file(linked / "y", "mine");
  CHECK(repository.half_written(linked, to, {"x", "y"}) == Paths{"x"});
}

TEST_CASE("a look changes nothing in the repository and leaves nothing") {
  const Repository repository;
  const Folder temporary;
  const Variable tmpdir("TMPDIR", temporary.path().c_str());
  const CommitId to = repository.commit({{"x", "text"}});
  const fs::path hook = repository / ".git/hooks/post-index-change";
  write_file(hook, "#!/bin/sh\n: >ran\n");
  fs::permissions(hook, fs::perms(0755));
  repository.git({"config", "core.fsmonitor", hook});
  write_file(repository / "x", "te");
  const auto contents = [&] {
    Files files;
    for (const auto& file :
         fs::recursive_directory_iterator(repository.path())) {
      files[file.path()] = file.is_regular_file() ? read_file(file) : "";
    }
    return files;
  };
  const Files before = contents();
  CHECK(repository.is_half_written("x", to));
  CHECK(contents() == before);
  CHECK(fs::is_empty(temporary.path()));
}

}  // namespace
}  // namespace deployment
