// Holds what the questions of a check need.
#pragma once

#include "lib/check/findings.hpp"
#include "lib/deploy/host.hpp"

namespace deployment {

struct Question {
  const Config& config;
  CommandRunner& runner;
  const Systemd& systemd;
  Findings& found;
  // A context of the checkout's user; in / where there is no checkout.
  Context context;
};

// The units of the program for this configuration, "deployment-update" or
// "deployment-update@NAME", without their types.
inline std::string own_unit(const Config& config) {
  return config.instance ? "deployment-update@" + *config.instance
                         : "deployment-update";
}

// Returns the user of this process. One that the user database does not know,
// as in a container, is called by its number.
User this_user();

// Says how to put a missing program on this host.
inline std::string how_to_install(const std::string& package) {
  return "install it: apt-get install " + package;
}

// Advice to repeat a question that failed.
constexpr const char* check_again =
    "look at the error; then check again: deployment-update --check";

}  // namespace deployment
