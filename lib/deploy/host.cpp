#include "lib/deploy/host.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "lib/base/text.hpp"
#include "lib/checkout/ownership.hpp"
#include "lib/environments/installs.hpp"
#include "lib/environments/stage.hpp"
#include "lib/model/paths.hpp"
#include "lib/plan/observe.hpp"
#include "lib/plan/standing.hpp"
#include "lib/process/orphan.hpp"
#include "lib/process/variables.hpp"
#include "lib/services/health.hpp"

namespace deployment {
using std::chrono::milliseconds;

namespace {

Context limited(Context context, milliseconds timeout) {
  context.timeout = timeout;
  return context;
}

// Limits how long a fetch waits for what is asked meanwhile.
constexpr milliseconds patience{5000};

// Limits a fetch behind which the states of services still count.
constexpr milliseconds short_fetch{1000};

Command question_for(std::string_view runtime, const Host& host,
                     milliseconds timeout) {
  return version_question(runtime, limited(host.as_user, timeout));
}

}  // namespace

Systemd make_systemd(const Config& config, CommandRunner& runner) {
  return {runner,
          {.directory = "/",
           .variables = common_variables(),
           .no_new_privileges = !config.new_privileges && geteuid() != 0,
           .timeout = config.systemctl_timeout}};
}

Host::Host(const Config& the_config, Log& the_log, CommandRunner& the_runner)
    : config(the_config),
      log(the_log),
      runner(the_runner),
      checkout(open_checkout(config.repo_dir)),
      user(checkout_user(config, *checkout)),
      as_user{
          .directory = config.repo_dir,
          .top = checkout,
          .variables = marked(child_variables(user, config.pass_environment),
                              config.repo_dir),
          .user = user,
          .no_new_privileges =
              !config.new_privileges && (user || geteuid() != 0)},
      git(runner, logged("git", config.git_timeout), config.remote,
          config.branch),
      store(checkout, runner, limited(as_user, config.install_timeout)),
      systemd(make_systemd(config, runner)) {}

Context Host::logged(const std::string& tag, milliseconds timeout) const {
  Context logged = as_user;
  logged.timeout = timeout;
  logged.on_line = [&log = log, tag](std::string_view line) {
    if (!trimmed(line).empty()) {
      log.info(fmt::format("{} | {}", tag, line));
    }
  };
  return logged;
}

void Host::require_own(const Record& record) const {
  if (record.checkout.empty() || record.checkout == config.repo_dir) {
    return;
  }
  const std::string path = (*config.state_dir / record_name).string();
  throw Error(
      fmt::format("the record {} belongs to the checkout {}, not to {}; "
                  "nothing was changed",
                  path, record.checkout.string(), config.repo_dir.string()),
      fmt::format(
          "give each checkout a record of its own: make it an instance, or set "
          "state-dir = another folder in its configuration; or, when {} is not "
          "used any more, remove the record: rm {}",
          record.checkout.string(), quoted(path)));
}

Standing Host::standing(const Record& record) const {
  return look_at_standing(config, record, *checkout, store);
}

void Host::fetch(const Record& record) {
  std::set<std::string> runtimes;
  std::vector<std::string> units;
  for (const Component& component : config.components) {
    const auto known = record.components.find(component.name);
    if (known != record.components.end() && !known->second.inputs.empty()) {
      runtimes.emplace(preset_of(component).runtime);
      units.insert(units.end(), component.services.begin(),
                   component.services.end());
    }
  }
  runtimes.erase("");
  Sequence questions;
  std::vector<std::string*> answers;
  for (const std::string& runtime : runtimes) {
    questions.push_back(question_for(runtime, *this, config.git_timeout));
    answers.push_back(&asked_ahead.versions[runtime]);
  }
  for (const std::string& unit : units) {
    questions.push_back(systemd.question(unit));
    answers.push_back(&asked_ahead.states[unit]);
  }
  for (Command& question : questions) {
    question.context.timeout = std::min(patience, question.context.timeout);
    // Unlike a program that is not here, env(1) can be started.
    question.arguments.insert(question.arguments.begin(), question.program);
    question.program = "/usr/bin/env";
    question.may_fail = true;
  }
  const auto begin = std::chrono::steady_clock::now();
  auto answer = answers.begin();
  for (CommandResult& result : git.fetch(questions)) {
    if (result.status.success()) {
      **answer = std::move(result.out);
    }
    ++answer;
  }
  if (std::chrono::steady_clock::now() - begin > short_fetch) {
    asked_ahead.states.clear();
  }
}

UnitState Host::state_of(const std::string& unit) const {
  const auto asked = asked_ahead.states.find(unit);
  return asked == asked_ahead.states.end() || asked->second.empty()
             ? systemd.state_of(unit)
             : parse_unit_state(asked->second, unit);
}

Observation Host::observe(const Record& record, const Heads& heads,
                          const GitReader& objects, bool force) const {
  auto answers = std::exchange(asked_ahead.versions, {});
  const auto ask_once = [&](std::string_view runtime) {
    std::string& answer = answers[std::string(runtime)];
    if (answer.empty()) {
      answer =
          runner.run_checked(question_for(runtime, *this, config.git_timeout))
              .out;
    }
    return version_in(runtime, answer);
  };
  const auto in_place_reason = [this] {
    return config.build == BuildMode::in_place
               ? std::optional<std::string>("build = in-place")
               : why_not_staged(runner, as_user);
  };
  Observation seen = deployment::observe(config, record, heads, force,
                                         {.git = git,
                                          .objects = objects,
                                          .store = store,
                                          .version_of = ask_once,
                                          .in_place_reason = in_place_reason});
  seen.git_user = user ? std::optional(user->name) : std::nullopt;
  return seen;
}

Plan Host::plan(const Record& record, const Observation& seen,
                bool force) const {
  Plan plan = make_plan(config, record, seen, force);
  // On the way back from what was changed nothing stops a run.
  const bool is_way_back = record.roll_back_to && has_moved(record);
  for (const Step& step : plan.steps) {
    const auto* verification = std::get_if<Verify>(&step);
    if (verification != nullptr && !is_way_back) {
      require_health_checks(runner, as_user, verification->components);
    }
  }
  return plan;
}

}  // namespace deployment
