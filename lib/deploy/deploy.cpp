#include "lib/deploy/deploy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unistd.h>

#include "lib/base/text.hpp"
#include "lib/checkout/run_lock.hpp"
#include "lib/deploy/run.hpp"
#include "lib/environments/stage.hpp"
#include "lib/environments/venv.hpp"

namespace deployment {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kept_environments = 2;  // beside the one in use

milliseconds since(steady_clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
}

// The script's word for it, on standard output as there.
void say_no_changes() {
  std::puts("No changes detected in the repository.");
}

}  // namespace

std::chrono::seconds Run::took() const {
  return std::chrono::round<std::chrono::seconds>(since(started_));
}

// A command of the checkout's user whose output goes to the log.
Command Run::prototype(const std::string& tag, milliseconds timeout) const {
  Command command = as_user_;
  command.timeout = timeout;
  command.on_line = [this, tag](std::string_view line) {
    if (!trimmed(line).empty()) {
      log_.info(fmt::format("{} | {}", tag, line));
    }
  };
  return command;
}

Command Run::as_this_process(milliseconds timeout) {
  return {.directory = "/",
          .environment = child_environment(std::nullopt),
          .timeout = timeout};
}

std::optional<Heads> Run::look() {
  try {
    Heads heads = git_.look();
    if (record_.remote_away_since) {
      log_.info(
          fmt::format("{} answers again; it was away for {}", config_.remote,
                      describe_duration(now() - *record_.remote_away_since)));
      if (!request_.dry_run) {
        record_.remote_away_since.reset();
        save();
      }
    }
    return heads;
  } catch (const RemoteUnreachable& error) {
    log_.error(one_line(error.what()) + "; " + error.advice());
    if (!record_.remote_away_since && !request_.dry_run) {
      record_.remote_away_since = now();
      save();
    }
    return std::nullopt;
  }
}

Observation Run::look_closer(const Heads& heads,
                             const GitReader& objects) const {
  const Sources sources{.git = git_,
                        .objects = objects,
                        .store = store_,
                        .python_version =
                            [this] {
                              if (python_version_.empty()) {
                                python_version_ = python_version(
                                    runner_,
                                    prototype("python3", config_.git_timeout));
                              }
                              return python_version_;
                            },
                        .in_place_reason =
                            [this] {
                              return config_.build == BuildMode::in_place
                                         ? std::string("build = in-place")
                                         : why_not_staged(runner_, as_user_);
                            }};
  return observe(config_, record_, heads, request_.force, sources);
}

int Run::dry_run() {
  const std::optional<Heads> heads = look();
  if (!heads) {
    return exit_failed;
  }
  std::optional<TemporaryDirectory> aside;
  std::optional<GitReader> objects;
  if (!git_.has_commit(heads->tip)) {
    aside.emplace(user_ ? user_->uid : geteuid(),
                  user_ ? user_->gid : getegid());
    objects = git_.with_objects_aside(aside->path());
  }
  const Plan plan =
      make_plan(config_, record_,
                look_closer(*heads, objects ? *objects : git_), request_.force);
  if (request_.json) {
    std::puts(to_json(plan).c_str());
    return 0;
  }
  if (plan.postponed) {
    return report_pending();
  }
  if (plan.quarantined) {
    return report_quarantine();
  }
  if (plan.deploys()) {
    std::puts(escaped("Plan: deploy " + describe_change(plan)).c_str());
  }
  if (!plan.in_place_reason.empty()) {
    std::puts(escaped("In place: " + plan.in_place_reason).c_str());
  }
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const std::string line = describe(plan.steps[i]);
    std::puts(fmt::format("  {}. {}", i + 1, escaped(line)).c_str());
  }
  if (!plan.deploys()) {
    say_no_changes();
  }
  return 0;
}

int Run::real_run() {
  const std::optional<Heads> heads = look();
  if (!heads) {
    return exit_failed;
  }
  if (!request_.force && is_up_to_date(config_, record_, *heads)) {
    say_no_changes();
    return 0;
  }
  if (!request_.force && is_quarantined(record_, *heads)) {
    return report_quarantine();
  }
  if (!request_.force && is_postponed(record_, *heads, now())) {
    return report_pending();
  }
  // What is deployed next overtakes a rollback that is not done yet.
  if (request_.force || !record_.pending ||
      record_.pending->tip != heads->tip) {
    record_.roll_back_to.clear();
  }
  return deploy_or_fail(*heads);
}

// To the commit that was deployed before this one, by the history.
int Run::roll_back_by_hand() {
  std::string before;
  for (const Deployment& past : record_.history) {
    if (past.outcome == Deployment::Outcome::deployed &&
        past.to == record_.deployed && past.from != past.to) {
      before = past.from;
    }
  }
  if (before.empty()) {
    throw Error("there is no earlier deployment on record to roll back to",
                "look at: deployment-update --status");
  }
  const std::optional<Heads> heads = look();
  if (!heads) {
    return exit_failed;
  }
  record_.roll_back_to = before;
  record_.quarantined = heads->tip;
  return deploy_or_fail(*heads);
}

int Run::deploy_or_fail(const Heads& heads) {
  tip_ = heads.tip;
  doing_ = "planning";
  try {
    end_orphans_of_a_killed_run();
    return deploy(heads);
  } catch (const Interrupted& error) {
    note_interruption(error);
    throw;
  } catch (const Error& error) {
    return fail(error);
  }
}

void Run::end_orphans_of_a_killed_run() {
  if (!record_.pending || !record_.pending->running) {
    return;
  }
  const ActingAs user(user_);
  const int ended = end_orphans(config_.repo_dir);
  if (ended > 0) {
    log_.warning(fmt::format(
        "ended {} processes that an earlier run, which was killed, had left "
        "at work",
        ended));
  }
}

int Run::deploy(Heads heads) {
  for (;; heads = git_.look_here(heads.tip)) {
    const Plan plan =
        make_plan(config_, record_, look_closer(heads, git_), request_.force);
    if (plan.postponed) {
      return report_pending();
    }
    if (!plan.steps.empty() || plan.deploys()) {
      begin();
      try {
        apply(plan);
      } catch (const Interrupted&) {
        throw;
      } catch (const Error& error) {
        if (!can_roll_back(plan)) {
          throw;
        }
        begin_roll_back(plan, error);
        continue;
      }
    }
    if (!plan.look_again) {
      return finish(plan);
    }
  }
}

// From here on the record says that there is something to do, whatever
// becomes of this process.
void Run::begin() {
  if (record_.pending && record_.pending->running &&
      record_.pending->tip == tip_) {
    return;
  }
  if (!record_.pending || record_.pending->tip != tip_ || request_.force) {
    renew_pending();
  }
  record_.pending->running = true;
  if (request_.force) {
    record_.quarantined.clear();
  }
  save();
}

// What another commit left half done is still to be taken back.
void Run::renew_pending() {
  const bool moved =
      record_.pending && record_.pending->reached != Reached::nothing;
  record_.pending =
      Pending{.tip = tip_,
              .reached = moved ? Reached::moved : Reached::nothing,
              .since = now()};
}

void Run::reach(Reached reached) {
  record_.pending->reached = std::max(record_.pending->reached, reached);
}

void Run::apply(const Plan& plan) {
  if (plan.deploys()) {
    from_ = plan.from;
    to_ = plan.to;
    log_.info(record_.roll_back_to.empty()
                  ? "deploying " + describe_change(plan)
                  : fmt::format("rolling back to {} ({})", abbreviated(plan.to),
                                plan.to_subject));
    if (!plan.in_place_reason.empty()) {
      log_.info("environments are built in place: " + plan.in_place_reason);
    }
    warn_of_foreign_files();
  }
  for (const Step& step : plan.steps) {
    throw_if_interrupted();
    doing_ = label_of(step);
    log_.info(escaped(describe(step)));
    const auto start = steady_clock::now();
    std::visit([this](const auto& s) { apply_step(s); }, step);
    log_.info(
        fmt::format("{}: done in {}", doing_, describe_duration(since(start))));
  }
}

// Only a staged deployment keeps what it replaces.
bool Run::can_roll_back(const Plan& plan) const {
  return config_.build == BuildMode::staged && plan.in_place_reason.empty() &&
         record_.pending->reached != Reached::nothing && !first_environment_ &&
         record_.roll_back_to.empty() && !plan.from.empty() &&
         plan.from != plan.to;
}

// A commit whose services did not stay up is quarantined; one that could not
// be put in place is tried again.
void Run::begin_roll_back(const Plan& plan, const Error& error) {
  note_failure(error);
  say_failure(error, false);
  add_failure_to_history();
  record_.roll_back_to = plan.from;
  if (record_.pending->reached == Reached::restarted) {
    record_.quarantined = record_.pending->tip;
  }
  record_.pending->running = true;
  save();
}

int Run::finish(const Plan& plan) {
  if (!record_.roll_back_to.empty()) {
    return finish_roll_back(plan);
  }
  const int failures = record_.pending ? record_.pending->attempts : 0;
  const bool wrote = record_.pending.has_value();
  record_.moving_to.clear();
  record_.pending.reset();
  if (!plan.deploys()) {
    if (wrote) {
      save();
    }
    say_no_changes();
    return 0;
  }
  record_.deployed = plan.to;
  record_.quarantined.clear();
  add_to_history(record_, {.ended = now(),
                           .outcome = Deployment::Outcome::deployed,
                           .duration = took(),
                           .from = plan.from,
                           .to = plan.to});
  save();
  log_.info(fmt::format("deployed {} ({}) in {}{}", abbreviated(plan.to),
                        plan.to_subject, describe_duration(since(started_)),
                        failures == 0 ? ""
                                      : fmt::format(", after it had failed {}",
                                                    times(failures))));
  tidy();
  return 0;
}

int Run::finish_roll_back(const Plan& plan) {
  const Pending pending = *record_.pending;
  const bool quarantined = record_.quarantined == pending.tip;
  add_to_history(record_, {.ended = now(),
                           .outcome = Deployment::Outcome::rolled_back,
                           .duration = took(),
                           .from = pending.tip,
                           .to = plan.to});
  record_.deployed = plan.to;
  record_.roll_back_to.clear();
  record_.moving_to.clear();
  record_.pending->running = false;
  record_.pending->reached = Reached::nothing;
  if (quarantined) {
    record_.pending.reset();
  }
  save();
  log_.warning(fmt::format("rolled back to {} ({}) in {}", abbreviated(plan.to),
                           plan.to_subject,
                           describe_duration(since(started_))));
  tidy();
  if (request_.roll_back) {
    log_.info(
        fmt::format("{} is quarantined: it is not tried again until "
                    "another commit comes, or --force",
                    abbreviated(pending.tip)));
    return 0;
  }
  return quarantined ? report_quarantine() : report_pending();
}

void Run::tidy() {
  try {
    store_.remove_stage();
    for (const Component& component : config_.components) {
      store_.prune(component, kept_environments);
    }
    git_.maintain(config_.install_timeout);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    log_.warning(one_line(error.what()));
  }
}

int run(const Config& config, const Request& request, Log& log,
        CommandRunner& runner) {
  if (request.dry_run) {
    require_checkout(config.repo_dir);
    return Run(config, request, log, runner).dry_run();
  }
  const Lock lock(config.repo_dir, request.wait);
  Run run(config, request, log, runner);
  return request.roll_back ? run.roll_back_by_hand() : run.real_run();
}

}  // namespace deployment
