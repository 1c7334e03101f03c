// Users, and acting with their rights.
#pragma once

#include <sys/types.h>

#include <optional>
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

// Returns the name of the person who started this process: who called sudo(8),
// else who logged in, else the user that it belongs to. One word.
std::string name_of_person();

// While it lives, this process touches files with the rights of `user`
// (seteuid(2)); with nullopt, with its own. The C library changes all threads,
// so it waits for each of them for a moment. Throws Error when it cannot; ends
// the program when it cannot come back.
class ActingAs {
 public:
  explicit ActingAs(const std::optional<User>& user);
  ~ActingAs();
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;

 private:
  bool acting_ = false;
  gid_t gid_ = 0;
  std::vector<gid_t> groups_;
};

}  // namespace deployment
