// Who a command runs as.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace deployment {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string name;
  std::string home;
  std::string shell;
};

// Asks the user database (getpwuid_r(3), getpwnam_r(3), getgrouplist(3)).
// Throws Error when there is no such user: a checkout may belong to an id that
// has none.
User find_user(uid_t uid);
User find_user(const std::string& name);

}  // namespace deployment
