// The record: the state of deployments that outlives a run.
#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "lib/base/time.hpp"
#include "lib/model/commit_id.hpp"
#include "lib/model/endpoint.hpp"

namespace deployment {

// The hashes and versions that determine an environment: the SHA-256 of each
// file by its path in the component, the interpreter's version under "python3".
using Inputs = std::map<std::string, std::string>;

// An input as a line of text, "HASH  NAME", as sha256sum(1) writes it.
std::string to_line(const Inputs::value_type& input);

// Adds the input that such a line tells; returns false for any other line.
bool add_line(Inputs& inputs, std::string_view line);

struct ComponentRecord {
  // Says how it was configured when it was last deployed, in the words of
  // configured_as(); empty: not known.
  std::string configured = {};
  // Its service was verified on this one, or had nothing of it to run.
  std::optional<CommitId> commit = {};
  // Its service was restarted onto this one, which is not verified yet.
  std::optional<CommitId> unverified_commit = {};
  Inputs inputs = {};  // its environment was made from; empty: not known
  // Its build made more than the environment, which may be gone as well.
  bool has_outputs = false;
  // The folder of the workspace root that its environment is in; empty: it is
  // in the component's own.
  std::string root = {};
  // Its service accepted connections there when it was last verified; or, if
  // it never was, listened there before its first restart.
  Endpoints listens = {};
  // Somebody changed it before its restart, and may have moved it elsewhere.
  bool may_move = false;

  bool operator==(const ComponentRecord&) const = default;
};

// The progress of an unfinished deployment. It decides whether a rollback has
// something to take back.
enum class Reached { nothing, moved, restarted };

struct Failure {
  std::string step;
  std::string error;  // one line

  bool operator==(const Failure&) const = default;
};

// A deployment that was begun and is not done.
struct Pending {
  CommitId tip;  // the remote's commit when it began
  Reached reached = Reached::nothing;
  bool running = false;  // a run works on it, or was killed at it
  // Beside it, what is deployed is made again, by a rollback to it.
  bool repairs = false;
  std::optional<Failure> failure = {};  // of the last attempt
  // Since then the gate says "not now", in the words of `failure`.
  std::optional<Time> deferred_since = {};
  int attempts = 0;  // that failed
  Time since{};      // of the first attempt
  Time next_try{};

  bool operator==(const Pending&) const = default;
};

// A deployment that ended.
struct Deployment {
  enum class Outcome { deployed, failed, rolled_back };

  Time ended{};
  Outcome outcome = Outcome::deployed;
  std::chrono::seconds duration{};
  std::optional<CommitId> from = {};  // nullopt: not known
  CommitId to;
  std::string by = {};  // the person who asked for it; empty: nobody did
  // Of the run, as systemd calls it (systemd.exec(5)); empty: none.
  std::string invocation_id = {};

  bool operator==(const Deployment&) const = default;
};

// A wait before something is tried again.
struct Retry {
  int tries = 0;  // that failed
  Time next{};

  bool operator==(const Retry&) const = default;
};

// A retry as a line of text, "TRIES TIME", and back; nullopt for anything else.
std::string to_line(const Retry& retry);
std::optional<Retry> parse_retry(std::string_view line);

// Says of what `notify` was called last: of each change once.
struct Told {
  std::string outcome = {};             // in the words of key_of()
  std::optional<Time> away_since = {};  // of the remote
  std::optional<Time> held_since = {};
  std::optional<Retry> retry = {};  // the program was called in vain

  bool operator==(const Told&) const = default;
};

struct Record {
  // The checkout that it speaks of, and the identifier that is kept in that
  // checkout's .git: another clone at the same path has not got it. Empty: not
  // known.
  std::filesystem::path checkout = {};
  std::string checkout_id = {};
  std::optional<CommitId> deployed = {};  // the last one that was deployed
  // The remote's commit when that was deployed. It tells a remote that was
  // moved back from commits that the remote never had.
  std::optional<CommitId> remote_commit = {};
  std::map<std::string, ComponentRecord> components = {};
  std::optional<Pending> pending = {};
  // Set while the work tree is moved to this commit: after a kill it tells that
  // half-written files and locks are this program's own.
  std::optional<CommitId> moving_to = {};
  // It was taken back: it is not tried again until another comes.
  std::optional<CommitId> quarantined = {};
  std::string quarantined_by = {};  // the person who asked; empty: nobody did
  std::optional<Failure> quarantined_for = {};  // nullopt: a person asked
  // Set from the decision to roll back until that is done: the commit to
  // deploy, whatever the remote holds.
  std::optional<CommitId> roll_back_to = {};
  // The commit that each component was released for last, by its name: that
  // outlives what is known of environments and services.
  std::map<std::string, CommitId> released = {};
  std::optional<Time> remote_away_since = {};
  Told told = {};
  std::vector<Deployment> history = {};  // oldest first, at most ten

  bool operator==(const Record&) const = default;
};

// Returns true when an unfinished deployment or rollback has changed something.
bool has_moved(const Record& record);

// Returns true on the way back to what was deployed before.
bool returns(const Record& record);

// The names in the record; empty for Reached::nothing.
std::string_view to_string(Reached reached);
std::string_view to_string(Deployment::Outcome outcome);

// Returns true for one that deployed again what was deployed.
bool is_repetition(const Deployment& deployment);

// Returns true when the same happened again: the commit failed, as it had
// before, or what is deployed was deployed once more.
bool is_again(const Deployment& before, const Deployment& ended);

// Appends to the history and drops the oldest of more than ten; not one of the
// last five good ones, so that there is a way back after many failures. Of
// those in a row that are the same again the last one is kept. Repetitions are
// not good ones.
void add_to_history(std::vector<Deployment>& history,
                    const Deployment& deployment);

}  // namespace deployment
