// Holds deployments back, because a person asked for it, until they are
// released.
#pragma once

#include "lib/base/json.hpp"
#include "lib/base/log.hpp"
#include "lib/base/time.hpp"
#include "lib/model/config.hpp"

namespace deployment {

struct Hold {
  Time since{};
  std::string by;  // the person who asked
  std::string reason;

  bool operator==(const Hold&) const = default;
};

// Reads the hold from the state directory; nullopt: there is none, which takes
// one system call to know. It has a file of its own, which a person can write
// while a run works on the record. Throws Error when it cannot be read: nobody
// knows then what is held.
std::optional<Hold> read_hold(const Config& config);

// The same for people, who are told also of one that cannot be read.
std::optional<Hold> look_at_hold(const Config& config);

// "since TIME, as NAME asked: REASON"
std::string describe(const Hold& hold);

// "held since …; to go on: …"
std::string describe_until_release(const Hold& hold, const Config& config);

Json to_json(const Hold& hold);

// Begins a hold, in the place of the one that there is, and returns the exit
// code. Waits for no run: one that works now goes on. Throws Error for a person
// who may not deploy.
int begin_hold(const Config& config, const std::string& reason, Log& log);

// Ends the hold, if there is one, and returns the exit code. Throws the same.
int end_hold(const Config& config, Log& log);

}  // namespace deployment
