#include "lib/plan/verdict.hpp"

#include <algorithm>

namespace deployment {

const std::string& local_commit(const Heads& heads) {
  return heads.local.empty() ? heads.tracking : heads.local;
}

bool is_quarantined(const Record& record, const Heads& heads) {
  return !record.pending && record.roll_back_to.empty() &&
         record.quarantined == heads.tip;
}

bool is_postponed(const Record& record, const Heads& heads, Time now) {
  using namespace std::chrono_literals;
  if (!record.pending || record.pending->running ||
      record.pending->tip != heads.tip) {
    return false;
  }
  // A clock that was set back must not postpone for longer than the longest
  // wait there is.
  return now < record.pending->next_try &&
         record.pending->next_try - now <= 60min;
}

bool is_settled(const Config& config, const Record& record,
                const Heads& heads) {
  if (record.pending || !record.roll_back_to.empty()) {
    return false;
  }
  if (record.deployed.empty()) {
    return true;
  }
  const bool deployed =
      record.deployed == local_commit(heads) || record.deployed == heads.tip;
  return deployed &&
         std::all_of(config.components.begin(), config.components.end(),
                     [&](const Component& component) {
                       return record.components.contains(component.name);
                     });
}

bool is_up_to_date(const Config& config, const Record& record,
                   const Heads& heads) {
  return heads.on_branch && heads.tip == heads.local &&
         is_settled(config, record, heads);
}

}  // namespace deployment
