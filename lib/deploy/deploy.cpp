#include "lib/deploy/deploy.hpp"

#include <fmt/format.h>

#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/checkout/run_lock.hpp"
#include "lib/deploy/dry_run.hpp"
#include "lib/deploy/executor.hpp"
#include "lib/deploy/report.hpp"
#include "lib/deploy/rollback.hpp"
#include "lib/deploy/services.hpp"
#include "lib/model/transitions.hpp"
#include "lib/plan/plan_text.hpp"
#include "lib/plan/verdict.hpp"
#include "lib/process/orphan.hpp"

namespace deployment {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kept_environments = 2;  // beside the one in use

milliseconds since(steady_clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
}

// A run that may change something. The caller holds the lock.
class Run {
 public:
  Run(Host& host, const Request& request)
      : host_(host), request_(request), journal_(*host.config.state_dir) {}

  int deploy_tip() {
    if (!ask_remote()) {
      return exit_failed;
    }
    const Verdict verdict =
        decide(host_.config, record(), *heads_, now(), request_.force);
    if (verdict == Verdict::up_to_date) {
      print(no_changes);
      return 0;
    }
    if (verdict != Verdict::deploy) {
      return report_stuck();
    }
    journal_.write(transition::overtake_roll_back, heads_->tip, request_.force);
    return deploy_or_fail();
  }

  int roll_back() {
    const std::optional<CommitId> before = commit_before(record());
    if (!before) {
      throw Error("there is no earlier deployment on record to roll back to",
                  "look at: deployment-update --status");
    }
    if (!ask_remote()) {
      return exit_failed;
    }
    journal_.write(transition::roll_back_requested, *before, heads_->tip,
                   now());
    return deploy_or_fail();
  }

 private:
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
      end_orphans_of_a_killed_run();
      return deploy();
    } catch (const Interrupted& interruption) {
      journal_.write(transition::interrupted,
                     Failure{.step = step_, .error = interruption.text()},
                     now());
      throw;
    } catch (const Error& error) {
      return fail(error);
    }
  }

  void end_orphans_of_a_killed_run() {
    if (!record().pending || !record().pending->running) {
      return;
    }
    const ActingAs user(host_.user);
    const int ended = end_orphans(host_.config.repo_dir);
    if (ended > 0) {
      host_.log.warning(fmt::format("ended {} that a killed run had left",
                                    counted(ended, "process")));
    }
  }

  int deploy() {
    for (;; heads_ = host_.git.heads_here(heads_->tip)) {
      step_ = "planning";
      // A rollback builds nothing that is kept.
      const bool force = request_.force && !record().roll_back_to;
      const Plan plan = host_.plan(record(), *heads_, host_.git, force);
      if (!plan.steps.empty() || plan.change) {
        journal_.write(transition::begin, heads_->tip, now(), force);
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

  void apply(const Plan& plan) {
    if (plan.change) {
      work_.change = plan.change;
      work_.may_move = may_services_move();
      say_what_begins(host_, record(), plan);
      look_at_services(plan, work_);
    }
    for (const Step& step : plan.steps) {
      throw_if_interrupted();
      touch_watchdog();
      step_ = label_of(step);
      host_.log.info(describe(step));
      const auto start = steady_clock::now();
      carry_out(step, work_);
      host_.log.info(fmt::format("{}: done in {}", step_,
                                 describe_duration(since(start))));
    }
  }

  // A person may ask for a commit whose services listen elsewhere.
  bool may_services_move() const {
    const auto& back = record().roll_back_to;
    return back ? back != record().deployed : request_.force;
  }

  // Returns false when there is nothing to take back, or no way back.
  bool begin_roll_back(const Plan& plan, const Error& error) {
    const auto to = commit_to_roll_back_to(host_.config, record(), plan,
                                           work_.made_first_environment);
    if (!to) {
      return false;
    }
    say_failure(host_, error);
    const bool is_to_blame =
        dynamic_cast<const ServiceDown*>(&error) != nullptr;
    journal_.write(transition::roll_back_decided, heads_->tip,
                   Failure{.step = step_, .error = one_line(error.what())},
                   now(), ended(Deployment::Outcome::failed), *to, is_to_blame);
    return true;
  }

  // Describes the present deployment as one that has ended now; nullopt when
  // its commit is not known yet.
  std::optional<Deployment> ended(Deployment::Outcome outcome) const {
    if (!work_.change) {
      return std::nullopt;
    }
    return Deployment{
        .ended = now(),
        .outcome = outcome,
        .duration = std::chrono::round<std::chrono::seconds>(since(started_)),
        .from = work_.change->from,
        .to = work_.change->to};
  }

  int finish(const Plan& plan) {
    if (!plan.change) {
      journal_.write(transition::nothing_to_deploy);
      print(no_changes);
      return 0;
    }
    const std::string what = fmt::format(
        "{} in {}", describe(plan.change->to, plan.change->to_subject),
        describe_duration(since(started_)));
    if (record().roll_back_to) {
      return finish_roll_back(what);
    }
    const int failures = record().pending->attempts;
    journal_.write(transition::deployed, *ended(Deployment::Outcome::deployed));
    host_.log.info(
        "deployed " + what +
        (failures == 0 ? "" : ", after it had failed " + times(failures)));
    tidy();
    return 0;
  }

  int finish_roll_back(const std::string& what) {
    Deployment back = *ended(Deployment::Outcome::rolled_back);
    back.from = record().pending->tip;
    journal_.write(transition::rolled_back, back);
    host_.log.warning("rolled back to " + what);
    tidy();
    if (request_.roll_back) {
      host_.log.info(describe_stuck(record()));
      return 0;
    }
    return report_stuck();
  }

  // Says a new failure in full, and a known one only as pending.
  int fail(const Error& error) {
    const std::string line = one_line(error.what());
    const std::optional<Pending>& pending = record().pending;
    const bool is_known = pending && pending->tip == heads_->tip &&
                          pending->failure && pending->failure->error == line;
    if (!is_known) {
      say_failure(host_, error);
    }
    journal_.write(transition::failed, heads_->tip,
                   Failure{.step = step_, .error = line}, now(),
                   ended(Deployment::Outcome::failed));
    if (record().roll_back_to) {
      say_mixture(host_, *record().roll_back_to, step_);
    }
    return report_stuck();
  }

  void tidy() {
    try {
      host_.store.remove_stage();
      for (const Component& component : host_.config.components) {
        host_.store.prune(component, kept_environments, [&] {
          return host_.systemd.user_of(component.service);
        });
      }
      host_.git.maintain(host_.config.install_timeout);
    } catch (const Error& error) {
      host_.log.warning(one_line(error.what()));
    }
  }

  // Says why the remote's tip is not deployed.
  int report_stuck() {
    host_.log.error(describe_stuck(record()));
    return exit_failed;
  }

  const Record& record() const { return journal_.record(); }

  Host& host_;
  const Request& request_;
  Journal journal_;
  Work work_{host_, journal_};
  steady_clock::time_point started_ = steady_clock::now();
  std::string step_ = "planning";  // that this run is at
  std::optional<Heads> heads_;     // nullopt: the remote is away
};

}  // namespace

int run(const Config& config, const Request& request, Log& log,
        CommandRunner& runner) {
  if (request.dry_run) {
    Host host(config, log, runner);
    return dry_run(host, Journal(*config.state_dir).record(), request);
  }
  Host host(config, log, runner);
  const Lock lock(*host.checkout, host.user, request.wait);
  Run run(host, request);
  return request.roll_back ? run.roll_back() : run.deploy_tip();
}

}  // namespace deployment
