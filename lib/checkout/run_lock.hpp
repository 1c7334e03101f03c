// Lets one run at a time work in a checkout.
#pragma once

#include <chrono>

#include "lib/base/directory.hpp"

namespace deployment {

// Holds the lock of a checkout; the kernel releases it however the process ends
// (F_SETLK of fcntl(2)), and no child inherits it. Runs of root have a file
// below /run that only root can open. Runs of the owner, and those of root for
// him, have a file of his below .git that only he can open: who may only read
// .git cannot hold it.
class Lock {
 public:
  // Waits at most `patience`. Throws Error with exit code 75, which names the
  // holder and since when it runs, when somebody else keeps the lock. `user` is
  // whom the checkout belongs to; nullopt: the user of this process.
  Lock(const Directory& checkout, const std::optional<User>& user,
       std::chrono::seconds patience);

 private:
  Descriptor of_root_;
  Descriptor of_user_;
};

}  // namespace deployment
