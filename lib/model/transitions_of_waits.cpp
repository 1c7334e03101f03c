// The changes of the record that are about the gate, a remote that is away, and
// what is told.

#include <algorithm>

#include "lib/model/transitions.hpp"

namespace deployment::transition {

void remote_went_away(Record& record, Time now) {
  if (!record.remote_away_since) {
    record.remote_away_since = now;
  }
}

void remote_came_back(Record& record) {
  record.remote_away_since.reset();
}

void deferred(Record& record, const Failure& words, Time now) {
  Pending& pending = *record.pending;
  pending.running = false;
  pending.failure = words;
  pending.next_try = std::min(pending.next_try, now);
  if (!pending.deferred_since) {
    pending.deferred_since = now;
  }
}

void told(Record& record, const Told& told) {
  record.told = told;
  record.told.retry.reset();
}

void telling_began(Record& record, Time now) {
  const int tries = record.told.retry.value_or(Retry{}).tries;
  record.told.retry = Retry{.tries = tries, .next = now};
}

void telling_failed(Record& record, Time now) {
  const int tries = 1 + record.told.retry.value_or(Retry{}).tries;
  record.told.retry = Retry{.tries = tries, .next = now + back_off(tries)};
}

std::chrono::minutes back_off(int attempts) {
  return std::chrono::minutes(
      std::min(60, 1 << std::min(std::max(attempts, 1) - 1, 6)));
}

}  // namespace deployment::transition
