// The state of one run, and what it can do. lib/deploy.cpp holds the order,
// lib/apply.cpp the steps, lib/failure.cpp what becomes of a failure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/log.hpp"
#include "lib/base/signals.hpp"
#include "lib/checkout/git.hpp"
#include "lib/checkout/ownership.hpp"
#include "lib/model/request.hpp"
#include "lib/plan/observe.hpp"
#include "lib/plan/plan.hpp"
#include "lib/plan/verdict.hpp"
#include "lib/process/orphan.hpp"
#include "lib/process/variables.hpp"
#include "lib/services/systemd.hpp"
#include "lib/services/verify.hpp"

namespace deployment {

// The first line of `text`, what failed, and of the others the one that says
// why: the first that calls itself an error, else the last.
std::string one_line(std::string_view text);

class Run {
 public:
  Run(const Config& config, const Request& request, Log& log,
      CommandRunner& runner)
      : config_(config),
        request_(request),
        log_(log),
        runner_(runner),
        user_(checkout_user(config)),
        as_user_{
            .directory = config.repo_dir,
            .environment = marked(child_environment(user_), config.repo_dir),
            .user = user_},
        git_(runner, prototype("git", config.git_timeout), config.remote,
             config.branch),
        store_(config.repo_dir, user_),
        systemd_(runner, as_this_process(config.systemctl_timeout)),
        file_(config.state_dir),
        record_(file_.load().value_or(Record{})) {}

  int dry_run();
  int real_run();
  int roll_back_by_hand();

 private:
  // Asks the remote; nullopt when it is away, and then that is logged.
  std::optional<Heads> look();
  Observation look_closer(const Heads& heads, const GitReader& objects) const;

  int deploy_or_fail(const Heads& heads);
  void end_orphans_of_a_killed_run();
  int deploy(Heads heads);
  void begin();
  void renew_pending();
  void reach(Reached reached);
  void apply(const Plan& plan);
  bool can_roll_back(const Plan& plan) const;
  void begin_roll_back(const Plan& plan, const Error& error);
  int finish(const Plan& plan);
  int finish_roll_back(const Plan& plan);
  int fail(const Error& error);
  void note_failure(const Error& error);
  void say_failure(const Error& error, bool known);
  void add_failure_to_history();
  void say_where_everything_is();
  int report_quarantine();
  void note_interruption(const Interrupted& error);
  int report_pending();
  std::string advice_for(const Error& error) const;
  void warn_of_foreign_files();
  void tidy();

  void apply_step(const RemoveLock& step);
  void apply_step(const Fetch& step);
  void apply_step(const Restore& step);
  void apply_step(const Checkout& step);
  void apply_step(const FastForward& step);
  void apply_step(const Reset& step);
  void apply_step(const Install& step);
  void apply_step(const Build& step);
  void apply_step(const Exchange& step);
  void apply_step(const Restart& step);
  void apply_step(const Skip& step);
  void apply_step(const Verify& step);

  // Runs `move` with the record saying that the work tree goes to `commit`.
  template <typename Move>
  void move_to(const std::string& commit, const Move& move);
  void take_back_what_was_written(const std::string& commit);

  Sequence install_commands(const Install& step) const;
  void exchange(const Exchange& step);
  std::chrono::seconds took() const;
  Command prototype(const std::string& tag,
                    std::chrono::milliseconds timeout) const;
  static Command as_this_process(std::chrono::milliseconds timeout);
  void save() { file_.save(record_); }

  const Config& config_;
  const Request& request_;
  Log& log_;
  CommandRunner& runner_;
  std::optional<User> user_;
  Command as_user_;
  Git git_;
  Store store_;
  Systemd systemd_;
  RecordFile file_;
  Record record_;

  std::chrono::steady_clock::time_point started_ =
      std::chrono::steady_clock::now();
  std::string tip_;    // of the remote
  std::string from_;   // deployed before
  std::string to_;     // to deploy; empty until it is known
  std::string doing_;  // the step at work
  StatesBefore states_before_;
  bool first_environment_ = false;      // of a component: there is no way back
  mutable std::string python_version_;  // asked once
};

}  // namespace deployment
