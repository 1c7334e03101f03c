// Lets one run at a time work in a checkout.
#pragma once

#include <chrono>

#include "lib/base/file.hpp"

namespace deployment {

// Holds an flock(2) on the checkout's .git, which is there before the first
// run and is what two runs would fight over. Nothing is written, and the
// kernel releases the lock however the process ends; no child inherits it.
class Lock {
 public:
  // Waits at most `patience`, and for the end of a run that was killed at most
  // 5 s. Throws Error with exit code 75, which names the holder and since when
  // it runs, when somebody else keeps the lock, and Error when `checkout` is
  // not there or not a git checkout.
  Lock(const std::filesystem::path& checkout, std::chrono::seconds patience);

 private:
  Descriptor fd_;
};

// Throws the same Error for a checkout that is none, and takes no lock.
void require_checkout(const std::filesystem::path& checkout);

}  // namespace deployment
