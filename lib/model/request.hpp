// What one run is asked to do.
#pragma once

#include <chrono>

namespace deployment {

// What the person or the timer asks of this run.
struct Request {
  bool dry_run = false;
  bool force = false;
  bool roll_back = false;  // to the deployment before this one
  bool json = false;
  std::chrono::seconds wait{};  // for another run that holds the lock
};

}  // namespace deployment
