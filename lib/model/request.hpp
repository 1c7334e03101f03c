// Options of one run.
#pragma once

#include <chrono>
#include <string>

namespace deployment {

// The options that the person or the timer gave.
struct Request {
  bool dry_run = false;
  bool force = false;
  bool roll_back = false;   // to the deployment before this one, or:
  std::string commit = {};  // its first digits
  bool json = false;
  bool by_hand = false;         // a person started the run, and not systemd
  std::chrono::seconds wait{};  // for another run that holds the lock
  const char* version = "";     // of the program
};

}  // namespace deployment
