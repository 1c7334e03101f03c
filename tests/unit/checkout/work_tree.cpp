#include "lib/checkout/work_tree.hpp"

#include <iterator>
#include <utility>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

// Files by their paths in the checkout.
using Files = std::map<std::string, std::string>;

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
    const GitReader git(runner, {.directory = checkout.path()}, "origin",
                        "prod");
    return changes_in_the_way(git, commit('a'), commit('b'));
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

TEST_CASE("git is asked to compare commits only when a file is changed here") {
  const Checkout checkout;
  Moving clean{.status = " D x\0"sv, .changed = "x\0"sv};
  clean.in_the_way(checkout);
  CHECK_FALSE(clean.runner.has_run("diff-tree"));
  Moving dirty{.status = " M x\0"sv, .changed = "x\0"sv};
  dirty.in_the_way(checkout);
  CHECK(dirty.runner.has_run(" " + id('a') + " " + id('b') + " --"));
}

constexpr const char* file_mode = "100644";
constexpr const char* link_mode = "120000";

// The commit `b`, by the paths of its files, to which the checkout was moved.
class Target {
 public:
  struct Entry {
    std::string mode;
    std::string content;
  };

  using Entries = std::map<std::string, Entry>;

  explicit Target(Entries entries) : entries_(std::move(entries)) {
    runner.answer("ls-tree", [this](const Command& list) {
      return printed(listing(list.arguments));
    });
    for (const auto& [path, entry] : entries_) {
      runner.answer("cat-file blob " + blob(path), printed(entry.content));
    }
  }

  Paths half_written(const Checkout& checkout, const Paths& paths) {
    const GitReader git(runner, {.directory = checkout.path()}, "origin",
                        "prod");
    return half_written_files(git, commit('b'), paths);
  }

  FakeRunner runner;

 private:
  // An id for the content of the file.
  std::string blob(const std::string& path) const {
    const auto place = std::distance(entries_.begin(), entries_.find(path));
    return id(static_cast<char>('0' + place));
  }

  std::string listing(const Words& arguments) const {
    std::string lines;
    for (const std::string& path : arguments) {
      const auto found = entries_.find(path);
      if (found != entries_.end()) {
        lines += found->second.mode + " blob " + blob(path) + '\t' + path;
        lines += '\0';
      }
    }
    return lines;
  }

  Entries entries_;
};

// True when `x` in the checkout counts as half-written, of a commit with
// `entries`.
bool is_half_written(const Checkout& checkout, const Target::Entries& entries) {
  const Paths found = Target(entries).half_written(checkout, {"x"});
  CHECK((found.empty() || found == Paths{"x"}));
  return !found.empty();
}

TEST_CASE("a file with the beginning of the commit's is half-written") {
  const auto has = [](const std::string& text) {
    return is_half_written(Checkout(Files{{"x", text}}),
                           {{"x", {file_mode, "the text\nof b\n"}}});
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

TEST_CASE("a file that is gone is half-written, whatever the commit has") {
  CHECK(is_half_written(Checkout(), {{"x", {file_mode, "text"}}}));
  CHECK(is_half_written(Checkout(), {}));
}

TEST_CASE("a file that the commit does not have is a person's") {
  CHECK_FALSE(is_half_written(Checkout(Files{{"x", ""}}), {}));
  CHECK_FALSE(
      is_half_written(Checkout(Files{{"x", ""}}), {{"y", {file_mode, ""}}}));
}

TEST_CASE("a link is compared by where it leads, and never followed") {
  const auto leads = [](const char* to, const Target::Entry& entry) {
    const Checkout checkout(Files{{"there", "text"}});
    fs::create_symlink(to, checkout / "x");
    return is_half_written(checkout, {{"x", entry}});
  };
  CHECK(leads("there", {link_mode, "there"}));
  CHECK(leads("nothing", {link_mode, "nothing"}));
  CHECK_FALSE(leads("there", {link_mode, "elsewhere"}));
  CHECK_FALSE(leads("there", {file_mode, "text"}));
  // A file in the place of a link, with the link's text in it.
  CHECK_FALSE(is_half_written(Checkout(Files{{"x", "there"}}),
                              {{"x", {link_mode, "there"}}}));
}

TEST_CASE("a folder is half-written when all files in it are") {
  const Target::Entries entries = {{"x/a", {file_mode, "text of a"}},
                                   {"x/sub/b", {file_mode, "text of b"}}};
  CHECK(is_half_written(
      Checkout(Files{{"x/a", "text"}, {"x/sub/b", "text of b"}}), entries));
  CHECK(is_half_written(Checkout(Files{{"x/sub/b", ""}}), entries));
  CHECK_FALSE(is_half_written(
      Checkout(Files{{"x/a", "text"}, {"x/sub/b", "mine"}}), entries));
  CHECK_FALSE(is_half_written(Checkout(Files{{"x/a", "text"}, {"x/mine", ""}}),
                              entries));
  const Checkout empty;
  fs::create_directory(empty / "x");
  CHECK(is_half_written(empty, entries));
}

TEST_CASE("a link to a folder is no folder") {
  const Checkout checkout(Files{{"there/a", "text"}});
  fs::create_directory_symlink("there", checkout / "x");
  CHECK_FALSE(is_half_written(checkout, {{"x/a", {file_mode, "text"}}}));
  fs::create_directory(checkout / "y");
  fs::create_directory_symlink("../there", checkout / "y/link");
  Target target(Target::Entries{{"y/link/a", {file_mode, "text"}}});
  CHECK(target.half_written(checkout, {"y"}).empty());
}

TEST_CASE("of several files those that are half-written come in their order") {
  const Checkout checkout(Files{{"a", "text"}, {"b", "mine"}, {"c", ""}});
  Target target(Target::Entries{{"a", {file_mode, "text of a"}},
                                {"b", {file_mode, "text of b"}},
                                {"c", {file_mode, "text of c"}}});
  CHECK(target.half_written(checkout, {"c", "gone", "b", "a"}) ==
        Paths{"c", "gone", "a"});
  CHECK(target.half_written(checkout, {}).empty());
}

TEST_CASE("of a commit that is not here nothing is half-written") {
  Target target(Target::Entries{{"x", {file_mode, "text"}}});
  target.runner.answer("cat-file -e", failed(1));
  CHECK(target.half_written(Checkout(Files{{"x", "te"}}), {"x"}).empty());
  CHECK(target.half_written(Checkout(), {"x"}).empty());
  CHECK_FALSE(target.runner.has_run("ls-tree"));
}

}  // namespace
}  // namespace deployment
