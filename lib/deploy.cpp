#include "lib/deploy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>

#include "lib/environment.hpp"
#include "lib/git.hpp"
#include "lib/interrupt.hpp"
#include "lib/lock.hpp"
#include "lib/npm.hpp"
#include "lib/observation.hpp"
#include "lib/ownership.hpp"
#include "lib/plan.hpp"
#include "lib/stage.hpp"
#include "lib/systemd.hpp"
#include "lib/text.hpp"
#include "lib/venv.hpp"
#include "lib/verify.hpp"

namespace deployment {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t foreign_files_named = 3;
constexpr std::size_t kept_environments = 2;  // beside the one in use

milliseconds since(steady_clock::time_point start) {
  return duration_cast<milliseconds>(steady_clock::now() - start);
}

// The script's word for it, on standard output as there.
void say_no_changes() {
  std::puts("No changes detected in the repository.");
}

// 1, 2, 4 … minutes, at most 60.
std::chrono::minutes back_off(int attempts) {
  return std::chrono::minutes(
      std::min(60, 1 << std::min(std::max(attempts, 1) - 1, 6)));
}

// The first line of `text`, what failed, and of the others the one that says
// why: the first that calls itself an error, else the last.
std::string one_line(std::string_view text) {
  std::vector<std::string_view> lines = split(trimmed(text), '\n');
  if (lines.size() < 2) {
    return std::string(trimmed(text));
  }
  const auto why =
      std::find_if(lines.begin() + 1, lines.end(), [](std::string_view line) {
        return line.starts_with("fatal: ") || line.starts_with("error: ") ||
               line.starts_with("ERROR: ") || line.starts_with("npm error ");
      });
  return fmt::format("{}: {}", lines.front(),
                     why == lines.end() ? lines.back() : *why);
}

class Run {
 public:
  Run(const Config& config, const Request& request, Log& log,
      CommandRunner& runner)
      : config_(config),
        request_(request),
        log_(log),
        runner_(runner),
        user_(checkout_user(config)),
        as_user_{.directory = config.repo_dir,
                 .environment = child_environment(user_),
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
  int deploy(Heads heads);
  void begin();
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

  Sequence install_commands(const Install& step) const;
  void exchange(const Exchange& step);
  Command prototype(const std::string& tag, milliseconds timeout) const;
  static Command as_this_process(milliseconds timeout);
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

  steady_clock::time_point started_ = steady_clock::now();
  std::string tip_;    // of the remote
  std::string from_;   // deployed before
  std::string to_;     // to deploy; empty until it is known
  std::string doing_;  // the step at work
  StatesBefore states_before_;
  bool moved_ = false;  // this run put new code or environments in place
  bool first_environment_ = false;  // of a component: there is no way back
  bool switched_ = false;           // and began to restart services onto them
  mutable std::string python_version_;  // asked once
};

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
    return deploy(heads);
  } catch (const Interrupted& error) {
    note_interruption(error);
    throw;
  } catch (const Error& error) {
    return fail(error);
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
    record_.pending = Pending{.tip = tip_, .since = now()};
  }
  record_.pending->running = true;
  if (request_.force) {
    record_.quarantined.clear();
  }
  save();
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
    log_.info(describe(step));
    const auto start = steady_clock::now();
    std::visit([this](const auto& s) { apply_step(s); }, step);
    log_.info(
        fmt::format("{}: done in {}", doing_, describe_duration(since(start))));
  }
}

// Only a staged deployment keeps what it replaces.
bool Run::can_roll_back(const Plan& plan) const {
  return config_.build == BuildMode::staged && plan.in_place_reason.empty() &&
         moved_ && !first_environment_ && record_.roll_back_to.empty() &&
         !plan.from.empty() && plan.from != plan.to;
}

// A commit whose services did not stay up is quarantined; one that could not
// be put in place is tried again.
void Run::begin_roll_back(const Plan& plan, const Error& error) {
  note_failure(error);
  say_failure(error, false);
  add_failure_to_history();
  record_.roll_back_to = plan.from;
  if (switched_) {
    record_.quarantined = record_.pending->tip;
  }
  record_.pending->running = true;
  moved_ = false;
  save();
}

int Run::finish(const Plan& plan) {
  if (!record_.roll_back_to.empty()) {
    return finish_roll_back(plan);
  }
  const int failures = record_.pending ? record_.pending->attempts : 0;
  const bool wrote = record_.pending.has_value();
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
  const auto took = since(started_);
  add_to_history(record_,
                 {.ended = now(),
                  .outcome = Deployment::Outcome::deployed,
                  .duration = duration_cast<std::chrono::seconds>(took),
                  .from = plan.from,
                  .to = plan.to});
  save();
  log_.info(fmt::format(
      "deployed {} ({}) in {}{}", abbreviated(plan.to), plan.to_subject,
      describe_duration(took),
      failures == 0 ? ""
                    : fmt::format(", after {} failed attempts", failures)));
  tidy();
  return 0;
}

int Run::finish_roll_back(const Plan& plan) {
  const Pending pending = *record_.pending;
  const bool quarantined = record_.quarantined == pending.tip;
  const auto took = since(started_);
  add_to_history(record_,
                 {.ended = now(),
                  .outcome = Deployment::Outcome::rolled_back,
                  .duration = duration_cast<std::chrono::seconds>(took),
                  .from = pending.tip,
                  .to = plan.to});
  record_.deployed = plan.to;
  record_.roll_back_to.clear();
  record_.pending->running = false;
  if (quarantined) {
    record_.pending.reset();
  }
  save();
  log_.warning(fmt::format("rolled back to {} ({}) in {}", abbreviated(plan.to),
                           plan.to_subject, describe_duration(took)));
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

// Records the failure, and says it in full when it is a new one.
int Run::fail(const Error& error) {
  const bool known = record_.pending && record_.pending->tip == tip_ &&
                     record_.pending->attempts > 0 &&
                     record_.pending->error == one_line(error.what());
  note_failure(error);
  say_failure(error, known);
  if (record_.roll_back_to.empty()) {
    add_failure_to_history();
  } else {
    say_where_everything_is();
  }
  save();
  return report_pending();
}

void Run::note_failure(const Error& error) {
  if (!record_.pending || record_.pending->tip != tip_) {
    record_.pending = Pending{.tip = tip_, .since = now()};
  }
  Pending& pending = *record_.pending;
  pending.running = false;
  pending.step = doing_;
  pending.error = one_line(error.what());
  ++pending.attempts;
  pending.next_try = now() + back_off(pending.attempts);
}

void Run::say_failure(const Error& error, bool known) {
  if (known) {
    return;
  }
  log_.error(error.what());
  const std::string advice = advice_for(error);
  if (!advice.empty()) {
    log_.error("what to do: " + advice);
  }
}

// One line for a commit, however often it fails.
void Run::add_failure_to_history() {
  if (to_.empty()) {
    return;
  }
  if (!record_.history.empty() && record_.history.back().to == to_ &&
      record_.history.back().outcome == Deployment::Outcome::failed) {
    record_.history.pop_back();
  }
  add_to_history(
      record_,
      {.ended = now(),
       .outcome = Deployment::Outcome::failed,
       .duration = duration_cast<std::chrono::seconds>(since(started_)),
       .from = from_,
       .to = to_});
}

// A rollback that fails leaves a mixture; whoever mends it has to know which.
void Run::say_where_everything_is() {
  const auto say = [&](const std::string& text) {
    log_.write(Level::critical, text);
  };
  say(fmt::format("the rollback to {} failed at '{}'",
                  abbreviated(record_.roll_back_to), doing_));
  const auto asked = [](const auto& question) -> std::string {
    try {
      return question();
    } catch (const Error& error) {
      return one_line(error.what());
    }
  };
  say(fmt::format("the checkout is at {}",
                  asked([&] { return git_.current_commit(); })));
  for (const Component& component : config_.components) {
    const std::string state = asked([&] {
      const UnitState unit = systemd_.state_of(component.service);
      return fmt::format("{} ({})", unit.active_state, unit.sub_state);
    });
    const std::string environment = asked([&] {
      const auto label = store_.live_label(component);
      return label ? one_line(to_text(*label)) : std::string("not known");
    });
    say(fmt::format("{}: {} is {}; {} was made from: {}", component.name,
                    component.service, state, environment_name(component.type),
                    environment));
  }
}

int Run::report_quarantine() {
  log_.error(fmt::format(
      "{} did not stay up and is quarantined; {} is deployed. It is not tried "
      "again until another commit comes, or --force",
      abbreviated(record_.quarantined), abbreviated(record_.deployed)));
  return exit_failed;
}

void Run::note_interruption(const Interrupted& error) {
  if (record_.pending) {
    record_.pending->running = false;
    record_.pending->step = doing_;
    record_.pending->error = error.what();
    record_.pending->next_try = now();
    save();
  }
}

int Run::report_pending() {
  const Pending& pending = *record_.pending;
  log_.error(fmt::format(
      "the deployment of {} is pending: '{}' failed ({} so far); next try at "
      "{}, or now with --force",
      abbreviated(pending.tip), pending.step,
      pending.attempts == 1 ? "once"
                            : fmt::format("{} times", pending.attempts),
      to_string(pending.next_try)));
  return exit_failed;
}

std::string Run::advice_for(const Error& error) const {
  std::string advice =
      error.advice().empty()
          ? "push a commit that mends it; if the cause is on this host, remove "
            "it: the next run that is due goes on"
          : error.advice();
  if (!user_) {
    return advice;
  }
  const auto foreign =
      foreign_files(config_.repo_dir, user_->uid, foreign_files_named);
  if (!foreign.empty()) {
    advice += fmt::format(
        "{}files below {} do not belong to {} ({} for one); if they are in "
        "the way: {}",
        advice.empty() ? "" : "\n", config_.repo_dir.string(), user_->name,
        foreign.front().string(), repair_command(config_, *user_));
  }
  return advice;
}

// What an earlier run as root left in .git will stop git sooner or later.
void Run::warn_of_foreign_files() {
  if (!user_) {
    return;
  }
  for (const auto& path : foreign_files(config_.repo_dir / ".git", user_->uid,
                                        foreign_files_named)) {
    log_.warning(fmt::format("{} does not belong to {}; repair it with: {}",
                             path.string(), user_->name,
                             repair_command(config_, *user_)));
  }
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

void Run::apply_step(const RemoveLock& step) {
  git_.remove_file(step.path);
}

void Run::apply_step(const Fetch& step) {
  git_.fetch();
  if (!git_.has_commit(step.commit)) {
    throw Error(
        fmt::format("{} was fetched and {} did not come with it",
                    config_.branch, step.commit),
        "the remote's branch was moved back meanwhile; the next run looks "
        "again");
  }
}

void Run::apply_step(const Restore& step) {
  git_.restore(step.paths);
}

template <typename Move>
void Run::move_to(const std::string& commit, const Move& move) {
  record_.moving_to = commit;
  save();
  move();
  moved_ = true;
  record_.moving_to.clear();
  save();
}

void Run::apply_step(const Checkout& step) {
  move_to(step.commit, [&] { git_.checkout(); });
}

void Run::apply_step(const FastForward& step) {
  move_to(step.to, [&] { git_.fast_forward(step.to); });
}

void Run::apply_step(const Reset& step) {
  if (step.keep) {
    git_.keep(lost_ref(step.from), step.from);
  }
  move_to(step.to, [&] { git_.reset(step.to); });
}

// Until it has succeeded, nothing is known of the environment.
void Run::apply_step(const Install& step) {
  ComponentRecord& component = record_.components[step.component.name];
  component.inputs.clear();
  save();
  store_.remove_live_label(step.component);
  const Sequence commands = install_commands(step);
  require_success({&commands, 1}, runner_.run_sequences({&commands, 1}));
  component.inputs = step.facts.inputs;
  save();
}

Sequence Run::install_commands(const Install& step) const {
  const Component& component = step.component;
  Command command = prototype(component.name, config_.install_timeout);
  command.purpose = fmt::format("installing {}", component.name);
  command.directory = config_.repo_dir / component.directory;
  switch (component.type) {
    case Component::Type::npm:
      return npm_install(command);
    case Component::Type::python:
      return rebuild_venv(command, step.facts.manifests);
  }
  return {};
}

void Run::apply_step(const Build& step) {
  const std::vector<Mount> mounts =
      lay_out(step, git_, store_, runner_, as_user_, log_);
  std::vector<Sequence> builds;
  for (const Install& install : step.installs) {
    Sequence& build = builds.emplace_back(install_commands(install));
    for (Command& command : build) {
      command.mounts = mounts;
    }
  }
  const auto results = runner_.run_sequences(builds);
  for (std::size_t i = 0; i < builds.size(); ++i) {
    if (succeeded(results[i])) {  // kept though another one may have failed
      const Install& install = step.installs[i];
      store_.keep_staged(install.component, install.facts.inputs);
    }
  }
  store_.remove_stage();
  require_success(builds, results);
}

void Run::apply_step(const Exchange& step) {
  ComponentRecord& component = record_.components[step.component.name];
  // What is in use must be found again by a rollback.
  if (!std::filesystem::exists(store_.live(step.component))) {
    first_environment_ = true;
  } else if (!store_.live_label(step.component)) {
    store_.set_live_label(step.component,
                          {.inputs = component.inputs, .served = from_});
  }
  component.commit.clear();
  save();
  moved_ = true;
  exchange(step);
  component.inputs = step.facts.inputs;
  save();
}

void Run::exchange(const Exchange& step) {
  const auto kept = store_.find(step.component, step.facts.inputs, to_);
  if (!kept) {
    throw Error(fmt::format("there is no {} of {} to put into use",
                            environment_name(step.component.type),
                            step.component.name));
  }
  if (store_.exchange(step.component, *kept)) {
    return;
  }
  log_.info(
      fmt::format("{}: the file system cannot exchange two folders; "
                  "they are moved one after the other",
                  step.component.name));
  const std::filesystem::path live = store_.live(step.component);
  Command move = prototype(step.component.name, config_.install_timeout);
  move.purpose = "moving " + live.string();
  move.program = "mv";
  move.arguments = {"-T", "--", live, store_.free_place(step.component)};
  runner_.run_checked(move);
  move.arguments = {"-T", "--", *kept, live};
  runner_.run_checked(move);
}

void Run::apply_step(const Restart& step) {
  const std::string& unit = step.component.service;
  ComponentRecord& component = record_.components[step.component.name];
  states_before_[unit] = systemd_.state_of(unit);
  component.commit.clear();
  component.restarted.clear();
  save();
  switched_ = true;
  systemd_.reset_failed(unit);
  systemd_.restart(unit);
  component.restarted = to_;
  save();
}

void Run::apply_step(const Skip& step) {
  record_.components[step.component.name].commit = to_;
}

void Run::apply_step(const Verify& step) {
  switched_ = true;
  const auto troubles =
      verify(config_, step.components, states_before_, systemd_, runner_,
             as_this_process(config_.health_timeout));
  std::vector<std::string> lines;
  std::vector<std::string> advice;
  for (const Component& component : step.components) {
    ComponentRecord& record = record_.components[component.name];
    record.restarted.clear();
    const auto trouble = troubles.find(component.name);
    if (trouble == troubles.end()) {
      record.commit = to_;
      continue;
    }
    lines.push_back(fmt::format("{} was restarted and did not stay up: {}",
                                component.service, trouble->second));
    advice.push_back(fmt::format(
        "look at: systemctl status {0}; journalctl -u {0}", component.service));
  }
  save();
  if (!lines.empty()) {
    throw Error(fmt::format("{}", fmt::join(lines, "\n")),
                fmt::format("{}", fmt::join(advice, "\n")));
  }
}

}  // namespace

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
