#include "lib/environments/workspaces.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

struct Case {
  const char* workspaces;
  const char* folder;
  bool found;
};

struct Unknown {
  const char* workspaces;
  std::optional<bool> found;
};

TEST_CASE("a workspace is one that a pattern matches") {
  for (const Case& c : {
           Case{"['web']", "web", true},
           Case{"['web']", "web/src", false},
           Case{"['web']", "api", false},
           Case{"['./web/']", "web", true},
           Case{"['/web']", "./web/", true},
           Case{"['apps/*']", "apps/web", true},
           Case{"['apps/*']", "apps", false},
           Case{"['apps/*']", "apps/web/src", false},
           Case{"['*']", "apps/web", false},
           Case{"['*']", ".hidden", false},
           Case{"['apps/**']", "apps/a/b/c", true},
           Case{"['apps/**']", "apps", true},
           Case{"['**/web']", "web", true},
           Case{"['**/web']", "apps/a/web", true},
           Case{"['**/web']", "apps/a/api", false},
           Case{"['a/**/b/**/c']", "a/x/b/c", true},
           Case{"['a/**/b/**/c']", "a/x/c", false},
           Case{"['w?b', 'a[ij]']", "ai", true},
           Case{"{'packages': ['apps/*']}", "apps/web", true},
           Case{"{'nohoist': ['apps/*']}", "apps/web", false},
       }) {
    INFO(c.workspaces << ' ' << c.folder);
    CHECK(
        has_workspace(json(std::string("{'workspaces': ") + c.workspaces + "}"),
                      c.folder) == c.found);
  }
}

TEST_CASE("the last pattern that matches counts") {
  for (const Case& c : {
           Case{"['apps/*', '!apps/web']", "apps/web", false},
           Case{"['apps/*', '!apps/web']", "apps/api", true},
           Case{"['apps/*', '!apps/web', 'apps/web']", "apps/web", true},
           Case{"['!apps/web']", "apps/web", false},
       }) {
    INFO(c.workspaces);
    CHECK(
        has_workspace(json(std::string("{'workspaces': ") + c.workspaces + "}"),
                      c.folder) == c.found);
  }
}

TEST_CASE("what a pattern with braces or parentheses means is not known") {
  for (const Unknown& c : {
           Unknown{"['{a,b}/*']", std::nullopt},
           Unknown{"['+(a|b)/*']", std::nullopt},
           Unknown{"['c/*', '!{a,b}/*']", std::nullopt},
           Unknown{"['c/*', '{a,b}/*']", true},
           Unknown{"['!{a,b}/*']", false},
           Unknown{"['{a,b}/*', 'c/*']", true},
           Unknown{"['{a,b}/*', '!c/*']", false},
       }) {
    INFO(c.workspaces);
    CHECK(
        has_workspace(json(std::string("{'workspaces': ") + c.workspaces + "}"),
                      "c/d") == c.found);
  }
}

TEST_CASE("comparing takes no longer than the text is") {
  const std::string folder(250, 'a');
  std::string stars;
  for (int i = 0; i < 60; ++i) {
    stars += "*a";
  }
  std::string folders;
  std::string any;
  for (int i = 0; i < 60; ++i) {
    folders += "a/";
    any += "**/a/";
  }
  CHECK(has_workspace(json("{'workspaces': ['" + stars + "b']}"), folder) ==
        std::nullopt);
  CHECK(has_workspace(json("{'workspaces': ['" + any + "b']}"), folders) ==
        false);
  CHECK(has_workspace(std::string((256 << 10) + 1, ' '), folder) ==
        std::nullopt);
}

TEST_CASE("a text that names no workspaces has none") {
  for (const char* text :
       {"", "{", "[]", "null", "{}", "{'workspaces': null}",
        "{'workspaces': 'web'}", "{'workspaces': {}}",
        "{'workspaces': {'packages': 1}}", "{'workspaces': [1, ['web']]}",
        "{'a': {'workspaces': ['web']}}"}) {
    INFO(text);
    CHECK(has_workspace(json(text), "web") == false);
  }
}

}  // namespace
}  // namespace deployment
