// What is recorded and said of a failure.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lib/base/text.hpp"
#include "lib/deploy/run.hpp"

namespace deployment {
namespace {

constexpr std::size_t foreign_files_named = 3;

// 1, 2, 4 … minutes, at most 60.
std::chrono::minutes back_off(int attempts) {
  return std::chrono::minutes(
      std::min(60, 1 << std::min(std::max(attempts, 1) - 1, 6)));
}

}  // namespace

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
  if (why == lines.end()) {
    return fmt::format("{}: {}", lines.front(), lines.back());
  }
  // Then ssh(1) or the transport has said the reason before.
  const bool told_before =
      *why == "fatal: Could not read from remote repository." &&
      why - lines.begin() > 1;
  return fmt::format("{}: {}", lines.front(), told_before ? *(why - 1) : *why);
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
    renew_pending();
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
  add_to_history(record_, {.ended = now(),
                           .outcome = Deployment::Outcome::failed,
                           .duration = took(),
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
      abbreviated(pending.tip), pending.step, times(pending.attempts),
      to_string(pending.next_try)));
  return exit_failed;
}

namespace {

bool speaks_of_permission(std::string_view text) {
  return text.find("ermission denied") != std::string_view::npos ||
         text.find("not permitted") != std::string_view::npos ||
         text.find("dubious ownership") != std::string_view::npos ||
         text.find("EACCES") != std::string_view::npos;
}

}  // namespace

std::string Run::advice_for(const Error& error) const {
  std::string advice =
      error.advice().empty()
          ? "push a commit that mends it; if the cause is on this host, remove "
            "it: the next run that is due goes on"
          : error.advice();
  if (!user_ || !speaks_of_permission(error.what())) {
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
  std::vector<std::string> names;
  for (const auto& path : foreign_files(config_.repo_dir / ".git", user_->uid,
                                        foreign_files_named)) {
    names.push_back(path.string());
  }
  if (!names.empty()) {
    log_.warning(fmt::format(
        "not all of .git belongs to {} ({}); repair it "
        "with: {}",
        user_->name, fmt::join(names, ", "), repair_command(config_, *user_)));
  }
}

}  // namespace deployment
