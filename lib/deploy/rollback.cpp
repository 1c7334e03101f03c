#include "lib/deploy/rollback.hpp"

#include <fmt/ranges.h>

#include "lib/deploy/report.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// A commit that only failed has served nobody.
std::set<CommitId> deployed_commits(const Record& record) {
  std::set<CommitId> commits;
  if (record.deployed) {
    commits.insert(*record.deployed);
  }
  for (const Deployment& past : record.history) {
    if (past.outcome != Deployment::Outcome::failed) {
      commits.insert(past.to);
    }
    if (past.from && past.outcome != Deployment::Outcome::rolled_back) {
      commits.insert(*past.from);
    }
  }
  return commits;
}

// Returns the commit that was deployed before the present one.
std::optional<CommitId> deployed_before(const Record& record) {
  std::optional<CommitId> before;
  for (const Deployment& past : record.history) {
    if (past.outcome == Deployment::Outcome::deployed &&
        past.to == record.deployed && past.from != past.to) {
      before = past.from;
    }
  }
  return before;
}

}  // namespace

Trials trials_of(const Host& host, const Plan& plan) {
  Trials trials;
  for (const Component& home : plan.homes) {
    const auto label = host.store.live_label(home);
    if (!label || !label->on_trial) {
      continue;
    }
    const std::set<std::string> outputs = host.store.output_paths(home);
    const std::set<std::string> tracked =
        outputs.empty() ? std::set<std::string>()
                        : host.git.tracked(plan.change->from.str(),
                                           {outputs.begin(), outputs.end()});
    const auto is_kept = [&](const Inputs& inputs) {
      return host.store
          .find(home, inputs, plan.change->from, Store::Trials::left_out,
                tracked)
          .has_value();
    };
    trials.repeated += is_kept(label->inputs) ? 1 : 0;
    trials.first += is_kept({}) ? 0 : 1;
  }
  return trials;
}

WayBack way_back(const Config& config, const Record& record, const Plan& plan,
                 const Trials& trials) {
  if (!has_moved(record) || returns(record) || !plan.change) {
    return {};
  }
  if (config.build == BuildMode::in_place || plan.in_place_reason) {
    return {.why_none =
                "what is built in place replaces what was there before"};
  }
  const Change& change = *plan.change;
  if (!record.deployed && trials.first > 0) {
    return {.why_none = "nothing was deployed before"};
  }
  if (change.from == change.to && trials.repeated == 0) {
    return {.why_none = fmt::format(
                "{} was deployed before, too, and no other environment of it "
                "is kept",
                change.to.abbreviated())};
  }
  return {.to = change.from};
}

std::optional<CommitId> commit_before(const Record& record) {
  if (record.roll_back_to) {
    return record.roll_back_to;
  }
  if (record.deployed && has_moved(record) &&
      record.pending->tip != record.deployed) {
    return record.deployed;
  }
  return deployed_before(record);
}

CommitId commit_that_failed(const Record& record) {
  const bool has_failure =
      !record.history.empty() &&
      record.history.back().outcome == Deployment::Outcome::failed;
  return has_failure ? record.history.back().to : record.pending->tip;
}

std::optional<CommitId> commit_to_acquit(const Record& record) {
  if (!returns(record) || !record.pending || record.pending->repairs ||
      !record.quarantined_by.empty()) {
    return std::nullopt;
  }
  const CommitId left = commit_that_failed(record);
  return record.quarantined == left ? std::optional(left) : std::nullopt;
}

Deployment told_as_it_was(Deployment ended, const Record& record,
                          const std::string& person) {
  if (record.pending->repairs) {  // it was deployed all the time
    ended.outcome = Deployment::Outcome::deployed;
    ended.by.clear();
    return ended;
  }
  if (ended.to == ended.from) {  // of the record: the failed one is left
    ended.from = commit_that_failed(record);
  }
  ended.by = person.empty() ? asked_by(record) : person;
  return ended;
}

CommitId commit_asked_for(const Record& record, const std::string& digits,
                          const Config& config) {
  const std::string advice = "look at: " + command_with(config, "--history");
  if (digits.empty()) {
    if (const auto before = commit_before(record)) {
      return *before;
    }
    throw Error("there is no earlier deployment on record to roll back to",
                advice);
  }
  const std::set<CommitId> all = deployed_commits(record);
  std::vector<CommitId> found;
  for (const CommitId& commit : all) {
    if (commit.str().starts_with(digits)) {
      found.push_back(commit);
    }
  }
  if (found.size() == 1) {
    return found.front();
  }
  const bool only_failed =
      found.empty() &&
      std::ranges::any_of(record.history, [&](const Deployment& past) {
        return past.to.str().starts_with(digits);
      });
  if (only_failed) {
    throw Error(fmt::format("{} was never deployed: it failed", digits),
                fmt::format("to try the remote's commit again: {}; {}",
                            command_with(config, "--force"), advice));
  }
  throw Error(
      fmt::format(
          "{} commit that was deployed begins with {}; the history has: {}",
          found.empty() ? "no" : "more than one", digits,
          all.empty() ? "none" : fmt::format("{}", fmt::join(all, ", "))),
      advice);
}

void require_here(const Host& host, const CommitId& commit) {
  if (!host.git.has_commit(commit)) {
    throw Error(fmt::format("the commit {} to roll back to is not in the "
                            "checkout any more; nothing was changed",
                            commit),
                "look at: " + command_with(host.config, "--history"));
  }
}

bool has_own_commits(const Host& host, const Heads& heads) {
  const auto& local = local_commit(heads);
  return local && host.git.compare(*local, heads.tip).ours > 0;
}

std::set<CommitId> commits_to_keep(const Record& record) {
  std::set<CommitId> commits;
  for (const auto& commit :
       {record.deployed, record.roll_back_to, deployed_before(record)}) {
    if (commit) {
      commits.insert(*commit);
    }
  }
  return commits;
}

}  // namespace deployment
