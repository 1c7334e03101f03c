#include "lib/process/places.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace deployment {
namespace {

// Changes a mount and those below it.
bool set_attributes(int fd, const char* path, std::uint64_t set,
                    std::uint64_t propagation) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.propagation = propagation;
  return mount_setattr(fd, path, AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                       sizeof(attributes)) == 0;
}

}  // namespace

Places::Places(const Context& context) : directory_(context.directory) {
  if (!context.top) {
    return;
  }
  const Directory& top = *context.top;
  top_ = top.fd();
  directory_ = top.relative(context.directory);
  if (!context.mounts.empty()) {
    struct stat status {};
    if (::fstat(top_, &status) != 0) {
      throw_errno(fmt::format("look at {}", top.path().string()));
    }
    owner_ = status.st_uid;
    user_ = context.user ? context.user->uid : geteuid();
  }
  for (const Mount& mount : context.mounts) {
    binds_.push_back({.source = top.relative(mount.source),
                      .target = top.relative(mount.target),
                      .read_only = mount.read_only});
  }
}

bool Places::enter_top() const {
  return top_ < 0 || fchdir(top_) == 0;
}

bool Places::make_mounts() const {
  return binds_.empty() || (unshare(CLONE_NEWNS) == 0 &&
                            set_attributes(AT_FDCWD, "/", 0, MS_PRIVATE) &&
                            std::ranges::all_of(binds_, [&](const Bind& bind) {
                              return make(bind);
                            }));
}

bool Places::enter_directory() const {
  return chdir(directory_.c_str()) == 0;
}

bool Places::make(const Bind& bind) const {
  constexpr int flags = O_PATH | O_CLOEXEC;
  const int from = open_below(AT_FDCWD, bind.source.c_str(), flags);
  const int to = open_below(AT_FDCWD, bind.target.c_str(), flags);
  if (!may_mount(from, to)) {
    return false;
  }
  const int tree =
      open_tree(from, "",
                static_cast<unsigned>(AT_EMPTY_PATH | AT_RECURSIVE) |
                    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  return tree >= 0 &&
         (!bind.read_only || set_attributes(tree, "", MOUNT_ATTR_RDONLY, 0)) &&
         move_mount(tree, "", to, "",
                    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0 &&
         // A mount over the current directory has to be entered.
         (bind.target != "." || fchdir(tree) == 0);
}

bool Places::may_mount(int from, int to) const {
  struct stat source {};
  struct stat target {};
  if (from < 0 || to < 0 || ::fstat(from, &source) != 0 ||
      ::fstat(to, &target) != 0) {
    return false;
  }
  const auto is_theirs = [&](const struct stat& status) {
    return status.st_uid == user_ || status.st_uid == owner_;
  };
  const bool may = (S_ISDIR(source.st_mode) || S_ISREG(source.st_mode)) &&
                   (source.st_mode & S_IFMT) == (target.st_mode & S_IFMT) &&
                   is_theirs(source) && is_theirs(target);
  if (!may) {
    errno = EPERM;
  }
  return may;
}

}  // namespace deployment
