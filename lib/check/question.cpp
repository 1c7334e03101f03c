#include "lib/check/question.hpp"

#include <unistd.h>

#include <cstdlib>

namespace deployment {

User this_user() {
  try {
    return find_user(geteuid());
  } catch (const Error&) {
    const char* home = std::getenv("HOME");
    User user;
    user.uid = geteuid();
    user.gid = getegid();
    user.name = std::to_string(geteuid());
    user.home = home == nullptr ? "/" : home;
    return user;
  }
}

}  // namespace deployment
