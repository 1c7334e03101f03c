#include "lib/deploy/rollback.hpp"

namespace deployment {

std::optional<CommitId> commit_to_roll_back_to(const Config& config,
                                               const Record& record,
                                               const Plan& plan,
                                               bool made_first_environment) {
  const bool is_staged =
      config.build == BuildMode::staged && !plan.in_place_reason;
  const bool changed_something =
      record.pending && record.pending->reached != Reached::nothing;
  if (!is_staged || !changed_something || made_first_environment ||
      record.roll_back_to || !plan.change ||
      plan.change->from == plan.change->to) {
    return std::nullopt;
  }
  return plan.change->from;
}

std::optional<CommitId> commit_before(const Record& record) {
  std::optional<CommitId> before;
  for (const Deployment& past : record.history) {
    if (past.outcome == Deployment::Outcome::deployed &&
        past.to == record.deployed && past.from != past.to) {
      before = past.from;
    }
  }
  return before;
}

}  // namespace deployment
