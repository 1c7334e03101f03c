// The folder and the mounts of a child, by paths from an open folder.
#pragma once

#include "lib/process/command.hpp"

namespace deployment {

// Somebody else may put anything else at such a path at any time: it is opened
// without following a link or leaving the open folder, looked at, and what was
// looked at is mounted.
class Places {
 public:
  explicit Places(const Context& context);

  // A child of vfork(2) calls these, in this order, and becomes the context's
  // user before the last. Each returns false, with errno, when it fails.
  bool enter_top() const;
  bool make_mounts() const;
  bool enter_directory() const;

 private:
  struct Bind {
    std::string source = {};
    std::string target = {};
    bool read_only = false;
  };

  bool make(const Bind& bind) const;
  bool may_mount(int from, int to) const;

  int top_ = -1;
  uid_t owner_ = 0;  // of the open folder
  uid_t user_ = 0;
  std::string directory_;
  std::vector<Bind> binds_;
};

}  // namespace deployment
