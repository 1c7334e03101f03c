#include "lib/process/variables.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

constexpr std::string_view common[] = {
    "PATH",       "LANG",        "TZ",          "TMPDIR",    "http_proxy",
    "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ftp_proxy", "FTP_PROXY",
    "all_proxy",  "ALL_PROXY",   "no_proxy",    "NO_PROXY"};

constexpr std::string_view of_a_session[] = {
    "HOME",           "USER",          "LOGNAME",
    "SHELL",          "SSH_AUTH_SOCK", "SSH_AGENT_PID",
    "SSH_ASKPASS",    "GNUPGHOME",     "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"};

constexpr std::string_view prefixes_of_a_session[] = {"GIT_", "npm_config_",
                                                      "NPM_CONFIG_", "PIP_"};

// git(1): where a repository is, and what git sees of it. Of `git rev-parse
// --local-env-vars` GIT_CONFIG_COUNT and GIT_CONFIG_PARAMETERS are missing:
// they are settings, as `git -c` passes them.
constexpr std::string_view of_a_repository[] = {
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_INTERNAL_SUPER_PREFIX"};

template <typename Names>
bool is_one_of(std::string_view name, const Names& names) {
  return std::ranges::find(names, name) != std::end(names);
}

bool is_common(std::string_view name) {
  return name.starts_with("LC_") || is_one_of(name, common);
}

bool belongs_to_session(std::string_view name) {
  return is_one_of(name, of_a_session) ||
         std::ranges::any_of(prefixes_of_a_session, [&](std::string_view one) {
           return name.starts_with(one);
         });
}

// Returns the variables of this process that `passes` lets through, and PATH
// and LANG in any case.
template <typename Passes>
Variables variables_that(const Passes& passes) {
  Variables variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (name.size() < text.size() && passes(name)) {
      variables.emplace(name, text.substr(name.size() + 1));
    }
  }
  variables.try_emplace(
      "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  variables.try_emplace("LANG", "C.UTF-8");
  return variables;
}

}  // namespace

Variables common_variables() {
  return variables_that(is_common);
}

Variables child_variables(const std::optional<User>& user,
                          const Words& passed) {
  Variables variables = variables_that([&](std::string_view name) {
    return !is_one_of(name, of_a_repository) &&
           (is_common(name) || (!user && belongs_to_session(name)) ||
            is_one_of(name, passed));
  });
  if (user) {
    variables["HOME"] = user->home;
    variables["USER"] = user->name;
    variables["LOGNAME"] = user->name;
    variables["SHELL"] = user->shell;
  }
  if (!variables.contains("HOME")) {  // as under systemd, for root
    variables["HOME"] = find_user(geteuid()).home;
  }
  return variables;
}

std::string search_path(const Variables& variables) {
  const auto path = variables.find("PATH");
  return path == variables.end() ? "" : path->second;
}

Words places_of(std::string_view program, const Variables& variables) {
  Words places;
  const std::string folders = search_path(variables);
  for (const std::string_view folder : split(folders, ':')) {
    places.push_back(fmt::format("{}/{}", folder, program));
  }
  return places;
}

}  // namespace deployment
