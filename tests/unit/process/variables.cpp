#include "lib/process/variables.hpp"

#include <unistd.h>

#include <algorithm>

#include "lib/base/text.hpp"
#include "lib/process/runner.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

const User somebody = {.uid = 1234,
                       .gid = 1234,
                       .groups = {1234},
                       .name = "somebody",
                       .home = "/home/somebody",
                       .shell = "/bin/sh"};

bool has_value(const Variables& variables, const char* name) {
  const auto found = variables.find(name);
  return found != variables.end() && found->second == "value";
}

// Returns true when a child that runs as `user` gets the variable `name`.
bool passes(const char* name, const std::optional<User>& user,
            const Words& passed = {}) {
  const Variable variable(name, "value");
  return has_value(child_variables(user, passed), name);
}

// Returns true when every child gets the variable `name`.
bool is_common(const char* name) {
  const Variable variable(name, "value");
  return has_value(common_variables(), name);
}

TEST_CASE("path, locale, time zone, temporary folder, proxies are common") {
  for (const char* name :
       {"PATH", "LANG", "LC_ALL", "LC_MESSAGES", "TZ", "TMPDIR", "http_proxy",
        "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ftp_proxy", "FTP_PROXY",
        "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
    INFO(name);
    CHECK(is_common(name));
    CHECK(passes(name, {}));
    CHECK(passes(name, somebody));
  }
}

TEST_CASE("a session's settings reach the children of its own user alone") {
  for (const char* name : {"HOME",
                           "USER",
                           "LOGNAME",
                           "SHELL",
                           "SSH_AUTH_SOCK",
                           "SSH_AGENT_PID",
                           "SSH_ASKPASS",
                           "GNUPGHOME",
                           "XDG_CONFIG_HOME",
                           "XDG_CACHE_HOME",
                           "XDG_DATA_HOME",
                           "XDG_RUNTIME_DIR",
                           "GIT_SSH_COMMAND",
                           "GIT_CONFIG_GLOBAL",
                           "GIT_CONFIG_COUNT",
                           "GIT_CONFIG_KEY_0",
                           "GIT_CONFIG_VALUE_0",
                           "GIT_CONFIG_PARAMETERS",
                           "npm_config_cache",
                           "NPM_CONFIG_REGISTRY",
                           "PIP_INDEX_URL"}) {
    INFO(name);
    CHECK(passes(name, {}));
    CHECK_FALSE(passes(name, somebody));
    CHECK_FALSE(is_common(name));
  }
}

TEST_CASE("anything else stays here unless the configuration names it") {
  for (const char* name : {"AWS_SECRET_ACCESS_KEY",
                           "GITHUB_TOKEN",
                           "GITLAB_TOKEN",
                           "NPM_TOKEN",
                           "GH_TOKEN",
                           "GIT",
                           "LC",
                           "PIP",
                           "XDG_SESSION_ID",
                           "SSH_CONNECTION",
                           "SUDO_USER",
                           "MAIL",
                           "OLDPWD",
                           "DBUS_SESSION_BUS_ADDRESS",
                           "LD_PRELOAD",
                           "NODE_OPTIONS",
                           "NODE_ENV",
                           "PYTHONPATH",
                           "path",
                           "lc_all",
                           "NOTIFY_SOCKET",
                           "INVOCATION_ID",
                           "JOURNAL_STREAM",
                           "STATE_DIRECTORY",
                           "WATCHDOG_USEC"}) {
    INFO(name);
    CHECK_FALSE(is_common(name));
    for (const std::optional<User>& user :
         {std::optional<User>(), std::optional(somebody)}) {
      CHECK_FALSE(passes(name, user));
      CHECK_FALSE(passes(name, user, {"OTHER"}));
      CHECK(passes(name, user, {"OTHER", name}));
    }
  }
}

TEST_CASE("the configuration may name a setting of the session") {
  CHECK(passes("GIT_SSH_COMMAND", somebody, {"GIT_SSH_COMMAND"}));
  CHECK(passes("SSH_AUTH_SOCK", somebody, {"SSH_AUTH_SOCK"}));
  CHECK(passes("PIP_INDEX_URL", somebody, {"PIP_INDEX_URL"}));
}

TEST_CASE("a variable that is named and not set is not there") {
  const Variable variable("NODE_ENV", nullptr);
  CHECK_FALSE(child_variables({}, {"NODE_ENV"}).contains("NODE_ENV"));
}

TEST_CASE("what names a repository gets in by no way") {
  for (const char* name :
       {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_NAMESPACE",
        "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_CEILING_DIRECTORIES",
        "GIT_CONFIG", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE",
        "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE",
        "GIT_INTERNAL_SUPER_PREFIX"}) {
    INFO(name);
    CHECK_FALSE(is_common(name));
    CHECK_FALSE(passes(name, {}, {name}));
    CHECK_FALSE(passes(name, somebody, {name}));
  }
}

TEST_CASE("nothing that git calls local to a repository gets in but settings") {
  const Words settings = {"GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"};
  TextLog log;
  const CommandResult answer = ProcessRunner(log.log).run(
      {.purpose = "testing",
       .program = "git",
       .arguments = {"rev-parse", "--local-env-vars"},
       .context = {
           .directory = "/", .variables = common_variables(), .timeout = 60s}});
  const auto names = split(trimmed(answer.out), '\n');
  CHECK(names.size() > 10);
  for (const std::string_view name : names) {
    INFO(name);
    CHECK(passes(std::string(name).c_str(), {}) ==
          (std::ranges::count(settings, name) != 0));
  }
}

TEST_CASE("another user's children see who they are, whatever is named") {
  const Variables variables =
      child_variables(somebody, {"HOME", "USER", "LOGNAME", "SHELL"});
  CHECK(variables.at("HOME") == "/home/somebody");
  CHECK(variables.at("USER") == "somebody");
  CHECK(variables.at("LOGNAME") == "somebody");
  CHECK(variables.at("SHELL") == "/bin/sh");
}

TEST_CASE("a home, a path and a language are there in any case") {
  const Variable home("HOME", nullptr);
  const Variable path("PATH", nullptr);
  const Variable language("LANG", nullptr);
  const Variables variables = child_variables({}, {});
  CHECK(variables.at("HOME") == find_user(geteuid()).home);
  for (const Variables& some : {variables, common_variables()}) {
    CHECK(contains(some.at("PATH"), "/usr/bin"));
    CHECK(some.at("LANG") == "C.UTF-8");
  }
}

TEST_CASE("values may hold anything, equals signs and newlines too") {
  const Variable variable("SOME_VALUE", "a=b\nc");
  CHECK(child_variables({}, {"SOME_VALUE"}).at("SOME_VALUE") == "a=b\nc");
}

}  // namespace
}  // namespace deployment
