#include "lib/checkout/git_reader.hpp"

#include <filesystem>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// A checkout whose commit has `entries`: the mode and, of links, the target.
class Tree {
 public:
  struct Entry {
    std::string mode;
    std::string target = {};
  };

  Tree() {
    runner.answer("ls-tree", [this](const Command& command) {
      std::string out;
      for (const auto& [path, entry] : entries) {
        if (std::ranges::count(command.arguments, path) != 0) {
          out += entry.mode + " x " + id('1') + '\t' + path + '\0';
          target = entry.target;
        }
      }
      return printed(out);
    });
    runner.answer("cat-file blob",
                  [this](const Command&) { return printed(target); });
  }

  fs::path real_folder(const char* path) const {
    return git.real_folder(commit('a'), path);
  }

  Folder folder;
  std::map<std::string, Entry> entries;
  std::string target;
  FakeRunner runner;
  GitReader git = {runner,
                   {.directory = folder.path(),
                    .top = std::make_shared<Directory>(folder.path())},
                   "origin",
                   "prod"};
};

TEST_CASE("a folder that is no link is where it is") {
  Tree tree;
  CHECK(tree.real_folder("web") == "web");
  tree.entries = {{"web", {"040000"}}, {"web/in", {"040000"}}};
  CHECK(tree.real_folder("web/in") == "web/in");
}

TEST_CASE("links of the commit are followed inside the checkout") {
  Tree tree;
  tree.entries = {{"web", {"120000", "apps/site/"}},
                  {"apps", {"040000"}},
                  {"apps/api", {"120000", "../web"}},
                  {"whole", {"120000", "apps"}},
                  {"top", {"120000", (tree.folder / "apps").string()}}};
  CHECK(tree.real_folder("web") == "apps/site");
  CHECK(tree.real_folder("apps/api") == "apps/site");
  CHECK(tree.real_folder("whole/api") == "apps/site");
  CHECK(tree.real_folder("top/other") == "apps/other");
}

TEST_CASE("a link of the checkout counts where the commit has nothing") {
  Tree tree;
  fs::create_symlink("apps/site", tree.folder / "web");
  CHECK(tree.real_folder("web") == "apps/site");
  tree.entries = {{"web", {"040000"}}};
  CHECK(tree.real_folder("web") == "web");
}

TEST_CASE("a link that leads out of the checkout is refused") {
  for (const char* target : {"../site", "..", "/srv/site", "apps/../../x"}) {
    INFO(target);
    Tree tree;
    tree.entries = {{"web", {"120000", target}}};
    CHECK(message_of<Error>([&] { tree.real_folder("web"); }) ==
          "web is a link to " + std::string(target) +
              ", outside of the checkout");
  }
}

TEST_CASE("links that lead in a circle are refused") {
  Tree tree;
  tree.entries = {{"web", {"120000", "site"}}, {"site", {"120000", "web"}}};
  CHECK(message_of<Error>([&] { tree.real_folder("web"); }) ==
        "web leads through more than 5 links");
}

TEST_CASE("nothing is deployed from a submodule") {
  Tree tree;
  tree.entries = {{"lib", {"160000"}}};
  CHECK(message_of<Error>([&] { tree.real_folder("lib/web"); }) ==
        "lib/web is in the submodule lib, and nothing can be deployed from "
        "there");
}

TEST_CASE("submodules are those that .gitmodules and the tree have") {
  using namespace std::string_literals;
  Tree tree;
  tree.entries = {{"lib/a", {"160000"}}, {"lib/b", {"040000"}}};
  CHECK(tree.git.submodules(commit('a')).empty());
  CHECK_FALSE(tree.runner.has_run("config"));
  tree.entries[".gitmodules"] = {"100644"};
  tree.runner.answer("config --blob", printed("submodule.a.path\nlib/a\0"
                                              "submodule.b.path\nlib/b\0"
                                              "submodule.c.path\n../c\0"s));
  CHECK(tree.git.submodules(commit('a')) == Paths{"lib/a"});
  tree.runner.answer("config --blob", failed(1));
  CHECK(tree.git.submodules(commit('a')).empty());
  tree.runner.answer("config --blob", failed(128, "fatal: bad config line\n"));
  CHECK_THROWS_AS(tree.git.submodules(commit('a')), CommandError);
}

}  // namespace
}  // namespace deployment
