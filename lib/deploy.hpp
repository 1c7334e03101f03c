// One run: lock, observe, plan, apply, verify, record. The only room that
// knows the order.
#pragma once

#include <chrono>

#include "lib/command.hpp"
#include "lib/config.hpp"
#include "lib/log.hpp"

namespace deployment {

// What the person or the timer asks of this run.
struct Request {
  bool dry_run = false;
  bool force = false;
  bool roll_back = false;  // to the deployment before this one
  bool json = false;
  std::chrono::seconds wait{};  // for another run that holds the lock
};

// Carries out one run and returns its exit code: 0 up to date or deployed, 1
// a deployment is pending. Throws Error for everything that ends a run before
// a deployment began, and Interrupted.
int run(const Config& config, const Request& request, Log& log,
        CommandRunner& runner);

}  // namespace deployment
