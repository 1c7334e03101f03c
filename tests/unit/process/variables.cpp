#include "lib/process/variables.hpp"

#include <unistd.h>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

const User somebody = {.uid = 1234,
                       .gid = 1234,
                       .groups = {1234},
                       .name = "somebody",
                       .home = "/home/somebody",
                       .shell = "/bin/sh"};

bool passes(const char* name, const std::optional<User>& user = {}) {
  const Variable variable(name, "value");
  const Variables variables = child_variables(user);
  const auto found = variables.find(name);
  return found != variables.end() && found->second == "value";
}

TEST_CASE("what names a repository or belongs to the unit stays here") {
  for (const char* name :
       {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_NAMESPACE",
        "GIT_PREFIX", "GIT_QUARANTINE_PATH", "INVOCATION_ID", "JOURNAL_STREAM",
        "NOTIFY_SOCKET", "STATE_DIRECTORY", "WATCHDOG_USEC", "MAINPID"}) {
    INFO(name);
    CHECK_FALSE(passes(name));
    CHECK_FALSE(passes(name, somebody));
  }
}

TEST_CASE("what a unit or a person sets reaches the children") {
  for (const char* name : {"https_proxy", "GIT_SSH_COMMAND", "NODE_OPTIONS",
                           "PIP_INDEX_URL", "LANG", "TZ"}) {
    INFO(name);
    CHECK(passes(name));
    CHECK(passes(name, somebody));
  }
}

TEST_CASE("the caller's own variables do not reach another user's children") {
  for (const char* name :
       {"HOME", "USER", "LOGNAME", "SHELL", "MAIL", "SUDO_USER", "SUDO_UID",
        "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "OLDPWD"}) {
    INFO(name);
    CHECK(passes(name));
    CHECK_FALSE(passes(name, somebody));
  }
}

TEST_CASE("another user's children see who they are") {
  const Variables variables = child_variables(somebody);
  CHECK(variables.at("HOME") == "/home/somebody");
  CHECK(variables.at("USER") == "somebody");
  CHECK(variables.at("LOGNAME") == "somebody");
  CHECK(variables.at("SHELL") == "/bin/sh");
}

TEST_CASE("a home, a path and a language are there in any case") {
  const Variable home("HOME", nullptr);
  const Variable path("PATH", nullptr);
  const Variable language("LANG", nullptr);
  const Variables variables = child_variables({});
  CHECK(variables.at("HOME") == find_user(geteuid()).home);
  CHECK(contains(variables.at("PATH"), "/usr/bin"));
  CHECK(variables.at("LANG") == "C.UTF-8");
}

TEST_CASE("values may hold anything, equals signs and newlines too") {
  const Variable variable("SOME_VALUE", "a=b\nc");
  CHECK(child_variables({}).at("SOME_VALUE") == "a=b\nc");
}

}  // namespace
}  // namespace deployment
