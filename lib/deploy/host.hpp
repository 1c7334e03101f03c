// The host that a run works on.
#pragma once

#include "lib/base/log.hpp"
#include "lib/checkout/git.hpp"
#include "lib/environments/store.hpp"
#include "lib/plan/plan.hpp"
#include "lib/services/systemd.hpp"

namespace deployment {

// Makes the one through which a run asks systemd.
Systemd make_systemd(const Config& config, CommandRunner& runner);

struct Host {
  // Opens the checkout. Throws Error when that or its user cannot be had.
  Host(const Config& the_config, Log& the_log, CommandRunner& the_runner);

  // A context of the checkout's user whose output goes to the log, each line
  // behind `tag`.
  Context logged(const std::string& tag,
                 std::chrono::milliseconds timeout) const;

  // Fetches the branch. Meanwhile asks what is needed next of what is deployed:
  // the versions of its runtimes, and the states of its services.
  void fetch(const Record& record);

  // Returns the state of a unit: as it was while git fetched, if that was asked
  // and took no longer than a second, or as it is. Throws Error.
  UnitState state_of(const std::string& unit) const;

  // Gathers all facts. `objects` also sees the remote's tip, or is `git`.
  // Throws Error when git fails.
  Observation observe(const Record& record, const Heads& heads,
                      const GitReader& objects, bool force) const;

  // Plans from these facts. Throws Error when nothing may be done.
  Plan plan(const Record& record, const Observation& seen, bool force) const;

  // Throws Error when the record speaks of a checkout at another path.
  void require_own(const Record& record) const;

  Standing standing(const Record& record) const;

  const Config& config;
  Log& log;
  CommandRunner& runner;
  std::shared_ptr<Directory> checkout;
  std::optional<User> user;  // of the checkout; nullopt: that of this process
  Context as_user;           // in the checkout, as its user
  Git git;
  Store store;
  Systemd systemd;
  // Holds the answers to fetch(): those of runtimes until the next observe(),
  // and those of units until look_at_services().
  struct Answers {
    std::map<std::string, std::string> versions = {};
    std::map<std::string, std::string> states = {};
  };
  mutable Answers asked_ahead = {};
};

}  // namespace deployment
