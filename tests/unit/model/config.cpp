#include "lib/model/config.hpp"

#include <unistd.h>

#include <array>
#include <random>

#include "lib/base/log.hpp"
#include "lib/base/text.hpp"
#include "lib/process/runner.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("without a file the configuration is the original script's") {
  const Config config;
  CHECK(config.repo_dir == "/home/ubuntu/sinesiAI");
  CHECK(config.remote == "origin");
  CHECK(config.branch == "prod");
  CHECK(config.components ==
        std::vector<Component>{{.name = "frontend",
                                .type = Component::Type::npm,
                                .directory = "frontend",
                                .manifests = {"package.json"},
                                .services = {"frontend-deployment.service"}},
                               {.name = "backend",
                                .type = Component::Type::python,
                                .directory = "backend",
                                .manifests = {"requirements.txt"},
                                .services = {"backend-deployment.service"}}});
}

TEST_CASE("the service manager's state directory comes first") {
  const Variable state("STATE_DIRECTORY", "/run/one:/run/two");
  const Variable xdg("XDG_STATE_HOME", "/xdg");
  CHECK(default_state_dir() == "/run/one");
}

TEST_CASE("without it the state directory is root's or the user's") {
  for (const char* unset : {static_cast<const char*>(nullptr), ""}) {
    const Variable state("STATE_DIRECTORY", unset);
    const Variable home("HOME", "/home/me");
    for (const char* given : {"/xdg", "relative", ""}) {
      const Variable xdg("XDG_STATE_HOME", given);
      const std::string mine = given[0] == '/'
                                   ? "/xdg/deployment-update"
                                   : "/home/me/.local/state/deployment-update";
      CHECK(default_state_dir() ==
            (geteuid() == 0 ? "/var/lib/deployment-update" : mine));
    }
  }
}

TEST_CASE("the record of an instance is in a folder of its name") {
  const std::string home =
      geteuid() == 0 ? "/var/lib/deployment-update" : "/xdg/deployment-update";
  const Variable xdg("XDG_STATE_HOME", "/xdg");
  for (const char* given : {"/run/one", static_cast<const char*>(nullptr)}) {
    const Variable state("STATE_DIRECTORY", given);
    CHECK(default_state_dir("my-shop") == home + "/my-shop");
    CHECK(default_state_dir_to_look_at("my-shop") == home + "/my-shop");
  }
}

TEST_CASE("names of instances are file names, and none of the record's") {
  for (const char* name : {"shop", "my-shop", "shop_2", "2", "shop.example.org",
                           "records", "a.record"}) {
    INFO(name);
    CHECK(is_instance_name(name));
  }
  for (const char* name :
       {"", ".", "..", ".shop", "-shop", "a/b", "a b", "a\\x2db", "a@b", "a\nb",
        "t\xc3\xa4st", "record", "record.0123456789abcdef"}) {
    INFO(name);
    CHECK_FALSE(is_instance_name(name));
  }
  CHECK_FALSE(is_instance_name(std::string(201, 'a')));
}

TEST_CASE("the command for a person names the instance") {
  CHECK(command_with({}, "--force") == "deployment-update --force");
  CHECK(command_with({.instance = "shop"}, "--status") ==
        "deployment-update --instance shop --status");
}

// Asks `git check-ref-format --branch` about each name. It runs where there
// is no repository, so that @{-1} names nothing.
std::vector<bool> git_accepts(const std::vector<std::string>& names) {
  const Folder folder;
  std::vector<Command> commands;
  for (const std::string& name : names) {
    commands.push_back(
        {.purpose = "asking git",
         .program = "git",
         .arguments = {"check-ref-format", "--branch", name},
         .context = {.directory = folder.path(),
                     .variables = {{"PATH", "/usr/bin:/bin"},
                                   {"GIT_CEILING_DIRECTORIES", "/"},
                                   {"HOME", folder.path()}},
                     .timeout = std::chrono::seconds(60)}});
  }
  Log log(stderr, Log::Target::plain, false);
  ProcessRunner runner(log);
  std::vector<bool> accepted;
  constexpr std::size_t at_once = 8;
  for (std::size_t i = 0; i < commands.size(); i += at_once) {
    const auto some =
        std::span(commands).subspan(i, std::min(at_once, commands.size() - i));
    for (const CommandResult& result : runner.run_all(some)) {
      accepted.push_back(result.status.success());
    }
  }
  return accepted;
}

void compare_with_git(const std::vector<std::string>& names) {
  const std::vector<bool> accepted = git_accepts(names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    INFO("branch name: '" << escaped(names[i]) << "'");
    CHECK(is_branch_name(names[i]) == accepted[i]);
  }
}

TEST_CASE("names from git-check-ref-format(1) are judged as git does") {
  compare_with_git({
      "prod",     "release/1.0",  "a-b",     "a_b",
      "a+b",      "täst",         "日本",    "a@b",
      "@a",       "a@",           "HEAD",    "head",
      "a/HEAD",   "refs/heads/x", "-",       "-a",
      "a-",       "a/-b",         "/a",      "a/",
      "a//b",     ".a",           "a/.b",    "a.",
      "a./b",     "a..b",         "a.lock",  "a.lock/b",
      "a/b.lock", ".lock",        "a.lockx", "a b",
      " a",       "a~1",          "a^",      "a:b",
      "a?",       "a*",           "a[b",     "a]b",
      "a\\b",     "a{b",          "a@{b",    "@{-1}",
      "@{u}",     "a\x7f",        "a\x01",   "a\nb",
      "a\tb",     "a\"b",         "a'b",     "$(a)",
      "a;b",      "a&b",          "--all",   "a#b",
      "%s",       "(no)",         "!a",      "refs/@",
      "a/@",      "@/a",          "\xff",    std::string(200, 'a'),
  });
  CHECK_FALSE(is_branch_name(""));
}

TEST_CASE("@ is refused: everywhere else git takes it for HEAD") {
  CHECK_FALSE(is_branch_name("@"));
}

TEST_CASE("generated names are judged as git does") {
  constexpr std::array<const char*, 24> pieces = {
      "a", "b",     "/",    ".",  "..", "@", "{", "}", "-", "~", "^",    ":",
      "?", ".lock", "HEAD", "\\", "*",  "[", "]", " ", "_", "0", "\x1b", "ä"};
  std::mt19937 random(20240229);
  std::vector<std::string> names;
  while (names.size() < 400) {
    std::string name;
    for (auto left = 1 + random() % 5; left > 0; --left) {
      // Every other piece is a harmless one, or nearly no name is accepted.
      name += pieces[random() % (left % 2 == 0 ? 2 : pieces.size())];
    }
    if (name != "@") {
      names.push_back(name);
    }
  }
  compare_with_git(names);
}

}  // namespace
}  // namespace deployment
