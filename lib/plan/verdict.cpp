#include "lib/plan/verdict.hpp"

#include <algorithm>
#include <array>

namespace deployment {
namespace {

bool is_waiting(const Record& record, const Heads& heads, Time now) {
  using namespace std::chrono_literals;
  if (!record.pending || record.pending->running ||
      record.pending->tip != heads.tip) {
    return false;
  }
  // A clock that was set back must not extend the wait beyond the longest one.
  return now < record.pending->next_try &&
         record.pending->next_try - now <= 60min;
}

}  // namespace

Verdict decide(const Config& config, const Record& record, const Heads& heads,
               Time now, bool force) {
  if (force) {
    return Verdict::deploy;
  }
  if (heads.on_branch && heads.local == heads.tip &&
      is_settled(config, record, heads)) {
    return Verdict::up_to_date;
  }
  if (!record.pending && !record.roll_back_to &&
      record.quarantined == heads.tip) {
    return Verdict::quarantined;
  }
  return is_waiting(record, heads, now) ? Verdict::waiting : Verdict::deploy;
}

std::string_view to_string(Verdict verdict) {
  constexpr std::array<std::string_view, 4> in_order = {
      "up-to-date", "quarantined", "waiting", "deploy"};
  return in_order.at(static_cast<std::size_t>(verdict));
}

const std::optional<CommitId>& local_commit(const Heads& heads) {
  return heads.local ? heads.local : heads.tracking;
}

bool is_settled(const Config& config, const Record& record,
                const Heads& heads) {
  if (record.pending || record.roll_back_to) {
    return false;
  }
  if (!record.deployed) {
    return true;
  }
  const bool is_deployed =
      record.deployed == local_commit(heads) || record.deployed == heads.tip;
  return is_deployed && std::ranges::all_of(
                            config.components, [&](const Component& component) {
                              return record.components.contains(component.name);
                            });
}

}  // namespace deployment
