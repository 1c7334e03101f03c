#include "lib/model/outcome.hpp"

#include <fmt/format.h>

#include <array>

namespace deployment {
namespace {

using Kind = Outcome::Kind;

constexpr std::string_view nothing = "nothing";  // was told, and no outcome
constexpr std::string_view begin_of_failed = "failed ";
constexpr std::string_view begin_of_stopped = "failed - ";  // no commit known
constexpr std::string_view begin_of_rolled_back = "rolled-back ";
constexpr std::string_view asked = " as asked";

// The error of a run that was asked to end (Interrupted::text()), which is
// none.
bool is_interruption(const Failure& failure) {
  return failure.error.starts_with("interrupted by SIG");
}

std::string without_numbers(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      out += c;
    } else if (!out.ends_with('#')) {
      out += '#';
    }
  }
  return out;
}

bool was_bad(std::string_view told) {
  return told.starts_with(begin_of_failed) ||
         (told.starts_with(begin_of_rolled_back) && !told.ends_with(asked));
}

bool last_was_rolled_back(const Record& record) {
  return !record.history.empty() &&
         record.history.back().outcome == Deployment::Outcome::rolled_back;
}

std::optional<Outcome> outcome_of_pending(const Record& record) {
  const Pending& pending = *record.pending;
  if (pending.running || pending.deferred_since || !pending.failure ||
      is_interruption(*pending.failure)) {
    return std::nullopt;
  }
  const bool is_back = !record.roll_back_to && last_was_rolled_back(record);
  return Outcome{.kind = is_back ? Kind::rolled_back : Kind::failed,
                 .commit = pending.tip,
                 .failure = *pending.failure};
}

Event event_of(const Outcome& outcome, std::string_view told) {
  switch (outcome.kind) {
    case Kind::deployed:
      return was_bad(told) ? Event::recovered : Event::deployed;
    case Kind::failed:
      return told.starts_with(begin_of_failed) ? Event::failed_differently
                                               : Event::failed;
    case Kind::rolled_back:
      return Event::rolled_back;
  }
  return Event::failed;
}

// Returns the outcome that is to be told, or to be noted.
std::optional<Outcome> outcome_seen(const Record& record, const Sight& seen) {
  if (seen.failure) {
    return Outcome{.kind = Kind::failed, .failure = *seen.failure};
  }
  // Let another run ask the remote first: only then is what stopped one over.
  if (was_told_of_stop(record.told) &&
      (seen.is_begin || record.remote_away_since)) {
    return std::nullopt;
  }
  return outcome_of(record);
}

std::optional<Notice> notice_of_outcome(const Record& record,
                                        const Sight& seen) {
  const std::optional<Outcome> outcome = outcome_seen(record, seen);
  Notice notice{.told = record.told};
  std::string& told = notice.told.outcome;
  if (seen.is_begin && told.empty()) {
    // `notify` is new here: what was deployed before is no news.
    told = outcome && outcome->kind == Kind::deployed ? key_of(*outcome)
                                                      : std::string(nothing);
    return notice;
  }
  if (!outcome || key_of(*outcome) == told) {
    return std::nullopt;
  }
  notice.event = event_of(*outcome, told);
  notice.outcome = outcome;
  told = key_of(*outcome);
  return notice;
}

std::optional<Notice> notice_of_remote(const Record& record,
                                       const Sight& seen) {
  const std::optional<Time>& since = record.remote_away_since;
  Notice notice{.told = record.told};
  notice.told.away_since = since;
  if (!since && record.told.away_since) {
    notice.event = Event::remote_back;
    return notice;
  }
  // A run that begins will know in a moment whether it answers.
  if (since && since != record.told.away_since && !seen.is_begin &&
      seen.now - *since >= seen.notify_away) {
    notice.event = Event::remote_away;
    return notice;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Event event) {
  constexpr std::array<std::string_view, 9> in_order = {
      "deployed",           "recovered",   "failed",
      "failed-differently", "rolled-back", "remote-away",
      "remote-back",        "held",        "released"};
  return in_order.at(static_cast<std::size_t>(event));
}

std::optional<Outcome> outcome_of(const Record& record) {
  if (record.pending) {
    return outcome_of_pending(record);
  }
  if (record.quarantined) {
    return Outcome{.kind = Kind::rolled_back,
                   .commit = record.quarantined,
                   .failure = record.quarantined_for.value_or(Failure{}),
                   .by = record.quarantined_by};
  }
  return record.deployed ? std::optional(Outcome{.kind = Kind::deployed,
                                                 .commit = record.deployed})
                         : std::nullopt;
}

std::string key_of(const Outcome& outcome) {
  const std::string commit = outcome.commit ? outcome.commit->str() : "-";
  switch (outcome.kind) {
    case Kind::deployed:
      return "deployed " + commit;
    case Kind::failed:
      return fmt::format("{}{} {}: {}", begin_of_failed, commit,
                         outcome.failure.step,
                         without_numbers(outcome.failure.error));
    case Kind::rolled_back:
      return fmt::format("{}{}{}", begin_of_rolled_back, commit,
                         outcome.by.empty() ? "" : asked);
  }
  return "";
}

std::optional<Notice> next_notice(const Record& record, const Sight& seen) {
  if (seen.held_since != record.told.held_since) {
    Notice notice{.event = seen.held_since ? Event::held : Event::released,
                  .told = record.told};
    notice.told.held_since = seen.held_since;
    return notice;
  }
  if (auto notice = notice_of_outcome(record, seen)) {
    return notice;
  }
  return notice_of_remote(record, seen);
}

bool was_told_of_stop(const Told& told) {
  return told.outcome.starts_with(begin_of_stopped);
}

}  // namespace deployment
