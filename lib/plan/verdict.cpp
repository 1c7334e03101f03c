#include "lib/plan/verdict.hpp"

#include <algorithm>
#include <array>

namespace deployment {
namespace {

bool is_waiting(const Record& record, const CommitId& tip, Time now) {
  using namespace std::chrono_literals;
  if (!record.pending || record.pending->running ||
      record.pending->tip != tip) {
    return false;
  }
  // A clock that was set back must not extend the wait beyond the longest one.
  return now < record.pending->next_try &&
         record.pending->next_try - now <= 60min;
}

// True when the deployment of `tip` was tried, and what was deployed before is
// still what services run.
bool has_changed_nothing(const Record& record, const CommitId& tip) {
  return record.pending && !record.pending->running &&
         record.pending->tip == tip && tip != record.deployed &&
         record.pending->failure && !record.pending->repairs &&
         record.pending->reached == Reached::nothing && !record.roll_back_to;
}

// True when somebody put another commit than the deployed one into the
// checkout. A new clone is at whatever the remote has.
bool was_moved(const Record& record, const Heads& heads) {
  return !record.checkout_id.empty() &&
         !(heads.on_branch && local_commit(heads) == record.deployed);
}

bool is_deployed(const Component& component, const Record& record) {
  return was_configured_so(component, record) &&
         record.components.at(component.name).commit == record.deployed;
}

// Returns true when the deployed commit is what all components run.
bool stands_deployed(const Config& config, const Record& record,
                     const Standing& standing) {
  return standing.is_complete() &&
         (!record.deployed ||
          std::ranges::all_of(config.components,
                              [&](const Component& component) {
                                return is_deployed(component, record);
                              }));
}

// Returns true when the component was deployed from the same folder as now,
// with whatever services it had.
bool was_deployed_from_there(const Component& component, const Record& record) {
  const auto known = record.components.find(component.name);
  if (known == record.components.end()) {
    return false;
  }
  const std::string& before = known->second.configured;
  const std::string now = configured_without_services(component);
  // Paths would stand before the services.
  return before.empty() || (before.starts_with(now) &&
                            !before.substr(now.size()).starts_with('('));
}

}  // namespace

Verdict decide(const Config& config, const Record& record,
               const Standing& standing, const Heads& heads, Time now,
               bool force) {
  if (force) {
    return Verdict::deploy;
  }
  if (heads.on_branch && heads.local == heads.tip &&
      is_settled(config, record, standing, heads)) {
    return Verdict::up_to_date;
  }
  if (!record.pending && !record.roll_back_to &&
      record.quarantined == heads.tip) {
    const bool is_whole = !record.deployed || was_moved(record, heads) ||
                          stands_deployed(config, record, standing);
    return is_whole ? Verdict::quarantined : Verdict::repair;
  }
  if (has_changed_nothing(record, heads.tip) && record.deployed &&
      !was_moved(record, heads) &&
      std::ranges::any_of(config.components, [&](const Component& component) {
        return was_deployed_from_there(component, record) &&
               (standing.gone.contains(component.name) ||
                (is_waiting(record, heads.tip, now) &&
                 !was_configured_so(component, record)));
      })) {
    return Verdict::repair;
  }
  return is_waiting(record, heads.tip, now) ? Verdict::waiting
                                            : Verdict::deploy;
}

std::optional<CommitId> commit_under_way(const Record& record, Time now) {
  return record.pending && !is_waiting(record, record.pending->tip, now)
             ? std::optional(record.pending->tip)
             : std::nullopt;
}

bool has_gate(const Config& config, const Record& record, const CommitId& tip) {
  return !config.gate.empty() && record.deployed != tip &&
         !record.roll_back_to && !has_moved(record) && !record.moving_to;
}

bool is_put_off(const Config& config, const Record& record,
                const CommitId& tip) {
  return has_gate(config, record, tip) && record.pending &&
         record.pending->tip == tip && record.pending->deferred_since;
}

std::string_view to_string(Verdict verdict) {
  constexpr std::array<std::string_view, 5> in_order = {
      "up-to-date", "quarantined", "waiting", "deploy", "repair"};
  return in_order.at(static_cast<std::size_t>(verdict));
}

const std::optional<CommitId>& local_commit(const Heads& heads) {
  return heads.local ? heads.local : heads.tracking;
}

bool was_configured_so(const Component& component, const Record& record) {
  const auto known = record.components.find(component.name);
  return known != record.components.end() &&
         (known->second.configured.empty() ||
          known->second.configured == configured_as(component));
}

bool is_settled(const Config& config, const Record& record,
                const Standing& standing, const Heads& heads) {
  const bool is_checked_out = !record.deployed ||
                              record.deployed == local_commit(heads) ||
                              record.deployed == heads.tip;
  return !record.pending && !record.roll_back_to && is_checked_out &&
         stands_deployed(config, record, standing);
}

}  // namespace deployment
