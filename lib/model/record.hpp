// What this program knows of its own work: the one file of its state directory.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/file.hpp"
#include "lib/base/time.hpp"

namespace deployment {

// What decides an environment: each file's SHA-256 by its path in the
// checkout's component, and the interpreter's version under "python3".
using Inputs = std::map<std::string, std::string>;

struct ComponentRecord {
  std::string commit = {};     // its service runs it; empty: not known
  std::string restarted = {};  // onto this one, and not yet seen to stay up
  Inputs inputs = {};  // its environment was made from; empty: not known

  bool operator==(const ComponentRecord&) const = default;
};

// How far a deployment came that is not done: whether a rollback has something
// to take back, and whether it is the commit that failed and not this host.
enum class Reached { nothing, moved, restarted };

// A deployment that was begun and is not done.
struct Pending {
  std::string tip = {};  // the remote's commit when it began
  Reached reached = Reached::nothing;
  bool running = false;    // a run works on it, or was killed at it
  std::string step = {};   // the step that failed; empty: none has yet
  std::string error = {};  // how it ended, one line
  int attempts = 0;        // that failed
  Time since{};            // of the first attempt
  Time next_try{};

  bool operator==(const Pending&) const = default;
};

// A deployment that ended, for --status.
struct Deployment {
  enum class Outcome { deployed, failed, rolled_back };

  Time ended{};
  Outcome outcome = Outcome::deployed;
  std::chrono::seconds duration{};
  std::string from = {};  // empty: not known
  std::string to = {};

  bool operator==(const Deployment&) const = default;
};

struct Record {
  std::string deployed;  // the commit that all components run; empty: none
  std::map<std::string, ComponentRecord> components;
  std::optional<Pending> pending;
  // Set while the work tree is being moved to this commit: after a kill it
  // says that half-written files and locks are this program's own.
  std::string moving_to;
  // A commit that did not stay up: not tried again until another comes.
  std::string quarantined;
  // Set from the decision to roll back until it is done: to deploy, whatever
  // the remote holds.
  std::string roll_back_to;
  std::optional<Time> remote_away_since;
  std::vector<Deployment> history;  // oldest first, at most ten

  bool operator==(const Record&) const = default;
};

std::string_view to_string(Reached reached);  // empty for nothing
std::string_view to_string(Deployment::Outcome outcome);

// Adds to the history and drops what is older than the last ten.
void add_to_history(Record& record, const Deployment& deployment);

// The record as a person reads it, and back. parse_record() throws Error that
// names `source` and what to do when the text is no record.
std::string to_text(const Record& record);
Record parse_record(std::string_view text, const std::string& source);

// The record's file. Loading a record that was never written gives nullopt;
// saving makes the state directory if it is not there.
class RecordFile {
 public:
  explicit RecordFile(std::filesystem::path state_dir);

  std::optional<Record> load() const;
  void save(const Record& record) const;

  std::filesystem::path path() const { return state_dir_ / "record"; }

 private:
  std::filesystem::path state_dir_;
};

}  // namespace deployment
