// Options of one run.
#pragma once

#include <chrono>

namespace deployment {

// The options that the person or the timer gave.
struct Request {
  bool dry_run = false;
  bool force = false;
  bool roll_back = false;  // to the deployment before this one
  bool json = false;
  std::chrono::seconds wait{};  // for another run that holds the lock
};

}  // namespace deployment
