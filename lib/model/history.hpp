// The history: the deployments that ended, told in full. Nothing is decided by
// it; for that the record keeps what it needs.
#pragma once

#include <map>

#include "lib/model/record.hpp"

namespace deployment {

struct TimedStep {
  std::string step;  // as the log calls it
  std::chrono::milliseconds duration{};

  bool operator==(const TimedStep&) const = default;
};

struct HistoryEntry {
  Deployment deployment;
  std::string subject = {};  // of the commit that it went to; empty: not known
  std::string author = {};   // of that one; empty: not known
  int attempts = 1;          // in a row that ended like this one, the last
  std::vector<TimedStep> steps = {};  // of the last attempt

  bool operator==(const HistoryEntry&) const = default;
};

struct History {
  std::vector<HistoryEntry> entries = {};  // oldest first, at most a hundred
  // Counts those that are not kept any more, too, and each attempt.
  std::map<Deployment::Outcome, int> totals = {};

  bool operator==(const History&) const = default;
};

// Adds those of the record's deployments that came after the last one that the
// history knows: the one that has just ended, one after which a run was killed,
// and all of them when there was no history. Returns true when there was one.
bool catch_up(History& history, const std::vector<Deployment>& recorded);

// parse_history() throws Error, which names `source`, for other text than that
// of a history.
std::string to_text(const History& history);
History parse_history(std::string_view text, const std::string& source);

}  // namespace deployment
