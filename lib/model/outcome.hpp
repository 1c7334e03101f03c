// Decides from values what a person is to be told: how the last deployment
// ended, and whether that is news.
#pragma once

#include "lib/model/record.hpp"

namespace deployment {

enum class Event {
  deployed,
  recovered,  // deployed, or as before, after a failure that was told
  failed,
  failed_differently,  // than was told
  rolled_back,
  remote_away,
  remote_back,
  held,
  released
};

// "deployed", "failed-differently" and so on.
std::string_view to_string(Event event);

// Says how the last deployment ended.
struct Outcome {
  enum class Kind { deployed, failed, rolled_back };

  Kind kind = Kind::deployed;
  // nullopt: a run failed before it knew one.
  std::optional<CommitId> commit = {};
  Failure failure = {};  // of one that failed or was rolled back
  std::string by = {};   // the person who asked for the rollback

  bool operator==(const Outcome&) const = default;
};

// Returns nullopt when nothing was deployed yet, and while nobody can say: a
// run is at work or was killed or interrupted, or the gate says not now.
std::optional<Outcome> outcome_of(const Record& record);

// Returns the outcome as a line that is the same for each of its repetitions.
// Numbers in an error are left out: they often differ from try to try.
std::string key_of(const Outcome& outcome);

// Says what is known beside the record when a run asks what to tell.
struct Sight {
  // A run begins, and knows nothing new yet. It tells what a run before it was
  // killed at.
  bool is_begin = false;
  std::optional<Time> held_since = {};
  Time now{};
  std::chrono::seconds notify_away{};  // the remote may be away untold
  // This run failed with it before it knew what to deploy.
  std::optional<Failure> failure = {};
};

// One thing to tell.
struct Notice {
  // nullopt: nothing is told; the record only notes what is so already.
  std::optional<Event> event = {};
  std::optional<Outcome> outcome = {};  // of events that are about one
  Told told = {};                       // what the record says afterwards
};

// Returns the next thing to tell; nullopt: there is none.
std::optional<Notice> next_notice(const Record& record, const Sight& seen);

// Returns true when what was told last is a run that stopped before it knew of
// which commit.
bool was_told_of_stop(const Told& told);

}  // namespace deployment
