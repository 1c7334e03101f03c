#include "lib/base/user.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <limits>

#include "lib/base/error.hpp"

namespace deployment {
namespace {

std::vector<gid_t> groups_of(const char* name, gid_t gid) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (getgrouplist(name, gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

// Asks by `look_up`, getpwuid_r(3) or getpwnam_r(3).
template <typename Key, typename LookUp>
User find(const LookUp& look_up, Key key, const std::string& whom) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  const int error = look_up(key, &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    throw Error(fmt::format("there is no user {}{}", whom,
                            error == 0 ? "" : ": " + errno_text(error)),
                "create the user, or name another one");
  }
  return {.uid = entry.pw_uid,
          .gid = entry.pw_gid,
          .groups = groups_of(entry.pw_name, entry.pw_gid),
          .name = entry.pw_name,
          .home = entry.pw_dir,
          .shell = entry.pw_shell};
}

}  // namespace

User find_user(uid_t uid) {
  return find(getpwuid_r, uid, fmt::format("with the id {}", uid));
}

User find_user(const std::string& name) {
  return find(getpwnam_r, name.c_str(), fmt::format("'{}'", name));
}

namespace {

// Returns the user who logged in, whoever he became since (proc(5)); nullopt:
// nobody did, as when a timer starts the process.
std::optional<uid_t> login_user() {
  std::ifstream file("/proc/self/loginuid");
  constexpr uid_t nobody = std::numeric_limits<uid_t>::max();
  uid_t uid = nobody;
  return file >> uid && uid != nobody ? std::optional(uid) : std::nullopt;
}

}  // namespace

std::string name_of_person() {
  const char* caller = std::getenv("SUDO_USER");
  std::string name = caller == nullptr ? "" : caller;
  const bool is_word = !name.empty() && name.size() <= 256 &&
                       std::ranges::all_of(name, [](unsigned char c) {
                         return isgraph(c) != 0;
                       });
  if (is_word) {
    return name;
  }
  const uid_t uid = login_user().value_or(getuid());
  try {
    return find_user(uid).name;
  } catch (const Error&) {  // there need be no such user
    return fmt::format("#{}", uid);
  }
}

ActingAs::ActingAs(const std::optional<User>& user) : gid_(getegid()) {
  if (!user || user->uid == geteuid()) {
    return;
  }
  const int count = getgroups(0, nullptr);
  groups_.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  if (getgroups(count, groups_.data()) < 0) {
    throw_errno("look at the groups of this process");
  }
  const bool has_groups =
      setgroups(user->groups.size(), user->groups.data()) == 0;
  const bool has_group = has_groups && setegid(user->gid) == 0;
  acting_ = has_group && seteuid(user->uid) == 0;
  if (!acting_) {
    const int reason = errno;
    if ((has_group && setegid(gid_) != 0) ||
        (has_groups && setgroups(groups_.size(), groups_.data()) != 0)) {
      std::terminate();
    }
    errno = reason;
    throw_errno(fmt::format("act as {}", user->name));
  }
}

ActingAs::~ActingAs() {
  if (acting_ && (seteuid(getuid()) != 0 || setegid(gid_) != 0 ||
                  setgroups(groups_.size(), groups_.data()) != 0)) {
    std::terminate();
  }
}

}  // namespace deployment
