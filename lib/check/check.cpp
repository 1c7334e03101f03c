#include "lib/check/check.hpp"

#include <unistd.h>

#include "lib/base/text.hpp"
#include "lib/check/questions.hpp"
#include "lib/check/service_variables.hpp"
#include "lib/deploy/dry_run.hpp"
#include "lib/deploy/hold.hpp"
#include "lib/plan/component_facts.hpp"
#include "lib/process/variables.hpp"

namespace deployment {
namespace {

Systemd systemd_of(const Config& config, CommandRunner& runner) {
  return {runner,
          {.directory = "/",
           .variables = common_variables(),
           .timeout = config.systemctl_timeout}};
}

// Leaves out the components that would stop a plan before all else: the look at
// the folders has told of them.
Config without_missing_folders(const Host& host, const Record& record) {
  Config config = host.config;
  std::erase_if(config.components, [&](const Component& component) {
    try {
      require_folder(component, host.git.current_commit(), record, host.git,
                     host.store);
      return false;
    } catch (const Error&) {
      return config.names_components;
    }
  });
  return config;
}

// Plans as a run would. A plan tells of one obstacle: that is taken away from
// the facts, to see the next one.
void look_at_plan(const Question& question, const Host& given,
                  const Record& record, const Heads& heads) {
  Config config = without_missing_folders(given, record);
  const Host host(config, given.log, given.runner);
  Record before = record;
  const Verdict verdict = foresee(host, before, heads, false);
  if (const auto hold = look_at_hold(config)) {
    question.found.note(
        {.about = "deployment",
         .what = "deployments are held back " + describe(*hold),
         .remedy = "go on: " + command_with(config, "--release")});
  }
  if (verdict == Verdict::waiting || verdict == Verdict::quarantined) {
    question.found.note(
        {.about = "deployment",
         .what = fmt::format("{} failed here, or was taken back",
                             heads.tip.abbreviated()),
         .remedy = "see why: deployment-update --status"});
  }
  if (verdict == Verdict::up_to_date || verdict == Verdict::quarantined) {
    question.found.saw("deployment", std::string(to_string(verdict)));
    return;
  }
  std::optional<Observation> facts;
  question.found.look_at("deployment", check_again, [&] {
    facts = observe_aside(host, before, heads, false);
  });
  if (!facts) {  // a program that a component needs is missing
    config.components.clear();
    facts = observe_aside(host, before, heads, false);
  }
  Observation& seen = *facts;
  const auto plan = [&] {
    question.found.look_at("deployment", check_again, [&] {
      static_cast<void>(make_plan(config, before, seen, false));
    });
  };
  // In the order in which a plan meets them.
  plan();
  seen.git_locks.clear();
  plan();
  if (seen.target) {
    seen.target->submodules.clear();
    plan();
    seen.target->in_the_way.clear();
    plan();
    seen.divergence->ours = 0;
    seen.divergence->taken_away = 0;
    for (const Component& component : config.components) {
      plan();
      seen.target->components.at(component.name).link = std::nullopt;
    }
  }
  question.found.saw("deployment", std::string(to_string(verdict)));
}

// Asks all that needs the checkout.
void look_at_checkout(const Question& question, Host& host,
                      const Record& record) {
  struct stat status {};
  const bool is_owner =
      geteuid() == 0 ||
      (fstat(host.checkout->fd(), &status) == 0 && status.st_uid == geteuid());
  if (!is_owner) {
    question.found.skip(
        "the checkout and the remote: only root and its owner can look at them "
        "as the service does");
    return;
  }
  question.found.look_at("folders", check_again,
                         [&] { look_at_folders(question, host, record); });
  look_at_builds(question, host, record);
  std::optional<Heads> heads;
  question.found.look_at("remote", check_again,
                         [&] { heads = look_at_remote(question, host); });
  if (heads) {
    question.found.look_at("deployment", check_again, [&] {
      look_at_plan(question, host, record, *heads);
    });
  }
}

}  // namespace

int check(const Config& config, bool json, Log& log, CommandRunner& runner) {
  Findings found;
  const Systemd systemd = systemd_of(config, runner);
  take_variables_of_service(config, systemd, found);
  std::optional<Host> host;
  found.look_at("folders", check_again,
                [&] { host.emplace(config, log, runner); });
  Question question{
      .config = config,
      .runner = runner,
      .systemd = systemd,
      .found = found,
      .context = {.directory = "/",
                  .variables = child_variables({}, config.pass_environment)}};
  if (host) {
    question.context = host->as_user;
  }
  question.context.timeout = std::chrono::seconds(30);
  look_at_tools(question);
  look_at_units(question);
  look_at_confinement(question);
  look_at_settings(question);
  const Record record = look_at_record(question);
  look_at_clock(question, record);
  if (host) {
    look_at_checkout(question, *host, record);
  }
  print(json ? found.as_json() : found.as_text());
  return found.obstacles().empty() ? 0 : exit_failed;
}

}  // namespace deployment
