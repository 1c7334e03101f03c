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

// The first line of `text`, what failed, and the last one, which mostly says
// why.
std::string one_line(std::string_view text) {
  const std::vector<std::string_view> lines = split(trimmed(text), '\n');
  if (lines.size() < 2) {
    return std::string(trimmed(text));
  }
  return fmt::format("{}: {}", lines.front(), lines.back());
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
        systemd_(runner, as_this_process(config.systemctl_timeout)),
        file_(config.state_dir),
        record_(file_.load().value_or(Record{})) {}

  int dry_run();
  int real_run();

 private:
  // Asks the remote; nullopt when it is away, and then that is logged.
  std::optional<Heads> look();
  Observation look_closer(const Heads& heads, const GitReader& objects) const;

  int deploy(const Heads& heads);
  void begin(const Heads& heads);
  void apply(const Plan& plan);
  void finish(const Plan& plan);
  int fail(const Error& error);
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
  void apply_step(const Restart& step);
  void apply_step(const Skip& step);
  void apply_step(const Verify& step);

  // Runs `move` with the record saying that the work tree goes to `commit`.
  template <typename Move>
  void move_to(const std::string& commit, const Move& move);

  void install(const Install& step);
  Command prototype(const std::string& tag, milliseconds timeout) const;
  Command as_this_process(milliseconds timeout) const;
  void save() { file_.save(record_); }

  const Config& config_;
  const Request& request_;
  Log& log_;
  CommandRunner& runner_;
  std::optional<User> user_;
  Command as_user_;
  Git git_;
  Systemd systemd_;
  RecordFile file_;
  Record record_;

  steady_clock::time_point started_ = steady_clock::now();
  std::string from_;   // deployed before
  std::string to_;     // to deploy; empty until it is known
  std::string doing_;  // the step at work
  StatesBefore states_before_;
};

// A command of the checkout's user whose output goes to the log.
Command Run::prototype(const std::string& tag, milliseconds timeout) const {
  Command command = as_user_;
  command.timeout = timeout;
  command.on_line = [this, tag](std::string_view line) {
    log_.info(fmt::format("{} | {}", tag, line));
  };
  return command;
}

Command Run::as_this_process(milliseconds timeout) const {
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
  const auto python = [this] {
    return python_version(runner_, prototype("python3", config_.git_timeout));
  };
  return observe(config_, record_, heads, request_.force, git_, objects,
                 python);
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
  if (plan.deploys()) {
    std::puts(escaped("Plan: deploy " + describe_change(plan)).c_str());
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
  doing_ = "planning";
  try {
    return deploy(*heads);
  } catch (const Interrupted& error) {
    note_interruption(error);
    throw;
  } catch (const Error& error) {
    return fail(error);
  }
}

int Run::deploy(const Heads& heads) {
  for (;;) {
    const Plan plan =
        make_plan(config_, record_, look_closer(heads, git_), request_.force);
    if (plan.postponed) {
      return report_pending();
    }
    if (!plan.steps.empty() || plan.deploys()) {
      begin(heads);
      apply(plan);
    }
    if (!plan.look_again) {
      finish(plan);
      return 0;
    }
  }
}

// From here on the record says that there is something to do, whatever
// becomes of this process.
void Run::begin(const Heads& heads) {
  if (record_.pending && record_.pending->running &&
      record_.pending->tip == heads.tip) {
    return;
  }
  if (!record_.pending || record_.pending->tip != heads.tip || request_.force) {
    record_.pending = Pending{.tip = heads.tip, .since = now()};
  }
  record_.pending->running = true;
  save();
}

void Run::apply(const Plan& plan) {
  if (plan.deploys()) {
    from_ = plan.from;
    to_ = plan.to;
    log_.info("deploying " + describe_change(plan));
    warn_of_foreign_files();
  }
  for (const Step& step : plan.steps) {
    throw_if_interrupted();
    doing_ = describe(step);
    log_.info(doing_);
    const auto start = steady_clock::now();
    std::visit([this](const auto& s) { apply_step(s); }, step);
    log_.info(fmt::format("{}{}{}: done in {}", component_of(step),
                          component_of(step).empty() ? "" : ": ", name_of(step),
                          describe_duration(since(start))));
  }
}

void Run::finish(const Plan& plan) {
  const int failures = record_.pending ? record_.pending->attempts : 0;
  const bool wrote = record_.pending.has_value();
  record_.pending.reset();
  if (!plan.deploys()) {
    if (wrote) {
      save();
    }
    say_no_changes();
    return;
  }
  record_.deployed = plan.to;
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
}

// Records the failure, and says it in full when it is a new one.
int Run::fail(const Error& error) {
  if (!record_.pending) {
    record_.pending = Pending{.since = now()};
  }
  Pending& pending = *record_.pending;
  const std::string what = one_line(error.what());
  const bool known = pending.attempts > 0 && pending.error == what;
  pending.running = false;
  pending.step = doing_;
  pending.error = what;
  ++pending.attempts;
  pending.next_try = now() + back_off(pending.attempts);
  if (!known) {
    log_.error(error.what());
    const std::string advice = advice_for(error);
    if (!advice.empty()) {
      log_.error("what to do: " + advice);
    }
  }
  if (!to_.empty()) {
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
  save();
  return report_pending();
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
  std::string advice = error.advice();
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
  git_.keep("refs/deployment-update/lost/" + step.from, step.from);
  move_to(step.to, [&] { git_.reset(step.to); });
}

// Until it has succeeded, nothing is known of the environment.
void Run::apply_step(const Install& step) {
  ComponentRecord& component = record_.components[step.component.name];
  component.inputs.clear();
  save();
  install(step);
  component.inputs = step.facts.inputs;
  save();
}

void Run::install(const Install& step) {
  const Component& component = step.component;
  Command command = prototype(component.name, config_.install_timeout);
  command.purpose = fmt::format("installing {}", component.name);
  command.directory = config_.repo_dir / component.directory;
  switch (component.type) {
    case Component::Type::npm:
      npm_install(runner_, command);
      return;
    case Component::Type::python:
      rebuild_venv(runner_, command, step.facts.manifests);
      return;
  }
}

void Run::apply_step(const Restart& step) {
  const std::string& unit = step.component.service;
  states_before_[unit] = systemd_.state_of(unit);
  systemd_.reset_failed(unit);
  systemd_.restart(unit);
}

void Run::apply_step(const Skip& step) {
  record_.components[step.component.name].commit = to_;
}

void Run::apply_step(const Verify& step) {
  verify(config_, step.components, states_before_, systemd_, runner_,
         as_this_process(config_.health_timeout));
  for (const Component& component : step.components) {
    record_.components[component.name].commit = to_;
  }
  save();
}

}  // namespace

int run(const Config& config, const Request& request, Log& log,
        CommandRunner& runner) {
  if (request.dry_run) {
    require_checkout(config.repo_dir);
    return Run(config, request, log, runner).dry_run();
  }
  const Lock lock(config.repo_dir, request.wait);
  return Run(config, request, log, runner).real_run();
}

}  // namespace deployment
