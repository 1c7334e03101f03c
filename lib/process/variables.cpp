#include "lib/process/variables.hpp"

#include <unistd.h>

#include <algorithm>

namespace deployment {
namespace {

constexpr std::string_view of_this_process[] = {
    // git(1): where a repository is. Credentials and ssh settings stay.
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_NAMESPACE",
    "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_CEILING_DIRECTORIES",
    // systemd.exec(5): meant for the unit's main process.
    "INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY_SOCKET", "STATE_DIRECTORY",
    "SYSTEMD_EXEC_PID", "MAINPID", "MANAGERPID", "WATCHDOG_PID",
    "WATCHDOG_USEC"};

constexpr std::string_view of_the_caller[] = {
    "HOME", "USER",     "LOGNAME", "SHELL",
    "MAIL", "USERNAME", "OLDPWD",  "DBUS_SESSION_BUS_ADDRESS"};

bool belongs_to_caller(std::string_view name) {
  return std::ranges::count(of_the_caller, name) != 0 ||
         name.starts_with("SUDO_") || name.starts_with("XDG_") ||
         name.starts_with("SSH_");
}

}  // namespace

Variables child_variables(const std::optional<User>& user) {
  Variables variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::count(of_this_process, name) == 0 &&
        !(user && belongs_to_caller(name)) && name.size() < text.size()) {
      variables.emplace(name, text.substr(name.size() + 1));
    }
  }
  if (user) {
    variables["HOME"] = user->home;
    variables["USER"] = user->name;
    variables["LOGNAME"] = user->name;
    variables["SHELL"] = user->shell;
  }
  if (!variables.contains("HOME")) {  // as under systemd, for root
    variables["HOME"] = find_user(geteuid()).home;
  }
  variables.try_emplace(
      "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  variables.try_emplace("LANG", "C.UTF-8");
  return variables;
}

}  // namespace deployment
