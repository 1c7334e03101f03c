#include "lib/deploy/deploy.hpp"

#include <fmt/format.h>

#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/deploy/executor.hpp"
#include "lib/deploy/gate.hpp"
#include "lib/deploy/history.hpp"
#include "lib/deploy/housekeeping.hpp"
#include "lib/deploy/other_records.hpp"
#include "lib/deploy/outputs.hpp"
#include "lib/deploy/recognition.hpp"
#include "lib/deploy/report.hpp"
#include "lib/deploy/rollback.hpp"
#include "lib/deploy/services.hpp"
#include "lib/model/transitions.hpp"
#include "lib/plan/plan_text.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

constexpr const char* planning = "planning";  // the step before all others

// Makes a failure of an exception that no code here throws.
Error unexpected(const std::exception& error) {
  return Error(fmt::format("something unexpected: {}", error.what()));
}

// A run that may change something. The caller holds the lock.
class Run {
 public:
  Run(Host& host, const Request& request, Journal& journal)
      : host_(host), request_(request), journal_(journal) {}

  int deploy_tip() {
    const Standing standing = recognize_checkout(host_, journal_);
    const bool is_away = !ask_remote();
    if (is_away && !request_.force) {
      heads_ = heads_under_way(host_, record(), standing);
    }
    const int code = heads_ ? deploy_heads(standing) : exit_failed;
    return is_away ? exit_failed : code;
  }

  // Goes to a commit of the history, and away from the remote's and from what
  // people have committed here. The remote's own is deployed.
  int roll_back() {
    recognize_checkout(host_, journal_);
    refuse_other_record(host_);
    const CommitId to =
        commit_asked_for(record(), request_.commit, host_.config);
    require_here(host_, to);
    if (!ask_remote()) {
      heads_ = heads_without_remote(host_, record(), to);
    }
    if (to == heads_->tip && !has_own_commits(host_, *heads_)) {
      journal_.write(transition::overtake_roll_back, to, true);
      journal_.write(transition::begin, to, now(), true);
    } else {
      journal_.write(transition::roll_back_requested, to, heads_->tip,
                     work_.person, now());
    }
    return deploy_or_fail();
  }

 private:
  int deploy_heads(const Standing& standing) {
    const Verdict verdict = decide(host_.config, record(), standing, *heads_,
                                   now(), request_.force);
    if (verdict == Verdict::up_to_date) {
      if (record().quarantined) {
        journal_.write(transition::quarantine_left, heads_->tip);
      }
      host_.log.print_result(no_changes);
      return 0;
    }
    if (verdict == Verdict::quarantined || verdict == Verdict::waiting) {
      return report_stuck(record(), host_.log, checked_out(host_, *heads_));
    }
    refuse_other_record(host_);
    if (verdict == Verdict::repair) {
      journal_.write(transition::repair_began, heads_->tip, now());
    }
    journal_.write(transition::overtake_roll_back, heads_->tip, request_.force);
    return deploy_or_fail();
  }

  bool ask_remote() {
    heads_ = deployment::ask_remote(host_, record());
    if (heads_) {
      journal_.write(transition::remote_came_back);
    } else {
      journal_.write(transition::remote_went_away, now());
    }
    return heads_.has_value();
  }

  int deploy_or_fail() {
    try {
      if (was_killed_ || (record().pending && record().pending->running)) {
        end_orphans_of_a_killed_run(host_);
        heads_ = host_.git.heads_here(heads_->tip);
      }
      return deploy();
    } catch (const Interrupted& interruption) {
      // As long as it plans, what a killed run left is still there.
      if (step_ != planning || !was_killed_) {
        journal_.write(transition::interrupted,
                       Failure{.step = step_, .error = interruption.text()},
                       now());
      }
      throw;
    } catch (const NotNow& answer) {
      return put_off(answer, request_.by_hand, host_, journal_);
    } catch (const Error& error) {
      return fail(error);
    } catch (const std::exception& error) {
      return fail(unexpected(error));
    }
  }

  int deploy() {
    // Nothing is built or checked again as long as the gate says not now.
    if (!request_.force && is_put_off(host_.config, record(), heads_->tip)) {
      step_ = Gate::name;
      ask_gate(host_, record(), record().deployed, heads_->tip);
    }
    for (;; heads_ = host_.git.heads_here(heads_->tip)) {
      step_ = planning;
      // A rollback builds nothing that is kept.
      const bool force = request_.force && !record().roll_back_to;
      take_back_halves(host_, record());
      const Plan plan = make_plan(force);
      if (!plan.steps.empty() || plan.change) {
        if (plan.change || plan.look_again) {
          adopt_what_stands(host_, *heads_, journal_);
        }
        journal_.write(transition::begin, heads_->tip, now(), force);
        name_checkout(host_, journal_);
        journal_.write(transition::configuration_changed,
                       configured_as(host_.config.components));
      }
      try {
        apply(plan);
      } catch (const Error& error) {
        if (!begin_roll_back(plan, error)) {
          throw;
        }
        continue;
      }
      if (!plan.look_again) {
        return finish(plan);
      }
    }
  }

  Plan make_plan(bool force) {
    Record seen = record();
    transition::configuration_changed(seen,
                                      configured_as(host_.config.components));
    const Observation facts = host_.observe(seen, *heads_, host_.git, force);
    Plan plan = host_.plan(seen, facts, force);
    require_services(plan, seen, host_);
    return plan;
  }

  void apply(const Plan& plan) {
    work_.plan = plan.change ? &plan : nullptr;
    if (plan.change) {
      work_.change = plan.change;
      set_expectations(request_, goes_back_, work_);
      say_what_begins(host_, record(), plan);
      look_at_services(plan, work_);
    }
    for (const Step& step : plan.steps) {
      throw_if_interrupted();
      touch_watchdog();
      step_ = label_of(step);
      host_.log.info(describe(step));
      const Stopwatch watch(step_, work_);
      try {
        carry_out(step, work_);
      } catch (const Error&) {
        throw;
      } catch (const std::exception& error) {
        throw unexpected(error);
      }
      host_.log.info(fmt::format("{}: done in {}", step_,
                                 describe_duration(watch.time())));
    }
  }

  // Returns false when there is nothing to take back, or no way back.
  bool begin_roll_back(const Plan& plan, const Error& error) {
    WayBack back =
        way_back(host_.config, record(), plan, trials_of(host_, plan));
    if (back.to && !host_.git.has_commit(*back.to)) {
      back = {.why_none = fmt::format("{} is not in the checkout any more",
                                      back.to->abbreviated())};
    }
    why_no_way_back_ = back.why_none;
    if (!back.to) {
      return false;
    }
    goes_back_ = true;
    // A commit is not to blame for an environment that is gone, nor when it was
    // deployed before, and has served.
    const bool is_to_blame =
        is_of_services(error) && host_.standing(record()).gone.empty() &&
        plan.change->to != back.to && !record().roll_back_to;
    journal_.write(transition::roll_back_decided, heads_->tip,
                   Failure{.step = step_, .error = one_line(error)}, now(),
                   ended(work_, Deployment::Outcome::failed), *back.to,
                   is_to_blame);
    keep_history(work_);
    say_failure(host_, error);
    return true;
  }

  int finish(const Plan& plan) {
    if (!plan.change) {
      journal_.write(transition::nothing_to_deploy);
      host_.log.print_result(no_changes);
      return 0;
    }
    step_ = "labelling environments";
    label_environments(host_, plan, journal_);
    journal_.write(transition::configuration_deployed,
                   configured_as(host_.config.components));
    const std::string what = fmt::format(
        "{} in {}", describe(plan.change->to, plan.change->to_subject),
        describe_duration(time_since(work_.started)));
    end_trials(host_, plan);
    if (record().roll_back_to) {
      return finish_roll_back(what);
    }
    const int failures = record().pending->attempts;
    journal_.write(transition::deployed,
                   *ended(work_, Deployment::Outcome::deployed));
    keep_history(work_);
    host_.log.info(
        "deployed " + what +
        (failures == 0 ? "" : ", after it had failed " + times(failures)));
    tidy(host_, record());
    return 0;
  }

  int finish_roll_back(const std::string& what) {
    const bool repairs = record().pending->repairs;
    journal_.write(
        transition::rolled_back,
        told_as_it_was(*ended(work_, Deployment::Outcome::rolled_back),
                       record(),
                       request_.roll_back && !goes_back_ ? work_.person : ""));
    keep_history(work_);
    host_.log.write(repairs ? Level::info : Level::warning,
                    (repairs ? "repaired " : "rolled back to ") + what);
    tidy(host_, record());
    const bool is_stuck = record().pending || record().quarantined;
    const int code = is_stuck ? report_stuck(record(), host_.log) : exit_failed;
    return !request_.roll_back ? code : goes_back_ ? exit_failed : 0;
  }

  // Says a new failure in full, and a known one only as pending, unless a
  // person asks.
  int fail(const Error& error) {
    const std::string line = one_line(error);
    const std::optional<Pending>& pending = record().pending;
    const bool is_known = pending && pending->tip == heads_->tip &&
                          pending->failure && pending->failure->error == line;
    const Failure failure{.step = step_, .error = line};
    if (dynamic_cast<const Obstacle*>(&error) != nullptr) {
      journal_.write(transition::obstructed, heads_->tip, failure, now());
    } else {
      journal_.write(transition::failed, heads_->tip, failure, now(),
                     ended(work_, Deployment::Outcome::failed));
      keep_history(work_);
    }
    if (const auto left = commit_to_acquit(record());
        left && is_of_services(error) && !work_.is_asked) {
      journal_.write(transition::acquitted);
    }
    if (!is_known || request_.force || request_.by_hand) {
      say_failure(host_, error);
      if (!why_no_way_back_.empty()) {
        host_.log.warning("not rolled back: " + why_no_way_back_);
      }
      if (record().roll_back_to && has_moved(record())) {
        say_mixture(host_, record(), step_);
      }
    }
    prune(host_, record());
    return report_stuck(record(), host_.log);
  }

  const Record& record() const { return journal_.record(); }

  Host& host_;
  const Request& request_;
  Journal& journal_;
  Work work_{
      .host = host_,
      .journal = journal_,
      .person = request_.force || request_.roll_back ? name_of_person() : ""};
  std::string step_ = planning;  // that this run is at
  std::string why_no_way_back_ = {};
  // The run before; planning begins anew after a fetch.
  const bool was_killed_ = record().pending && record().pending->running;
  bool goes_back_ = false;      // what this run deployed failed
  std::optional<Heads> heads_;  // nullopt: the remote is away
};

}  // namespace

int deploy(Host& host, const Request& request, Journal& journal) {
  Run run(host, request, journal);
  return request.roll_back ? run.roll_back() : run.deploy_tip();
}

}  // namespace deployment
