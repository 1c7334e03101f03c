#include <fmt/format.h>

#include <algorithm>

#include "lib/base/time.hpp"
#include "lib/check/questions.hpp"
#include "lib/check/time_span.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

// Clocks of a host and of what wrote its files may differ by so much.
constexpr auto clock_tolerance = 10min;

void compare_stop_timeouts(const Question& question) {
  const Config& config = question.config;
  for (const Component& component : config.components) {
    for (const std::string& unit : component.services) {
      const auto shown = question.systemd.show(unit, {"TimeoutStopUSec"});
      const auto found = shown.find("TimeoutStopUSec");
      if (found == shown.end()) {
        continue;
      }
      const auto stop = parse_time_span(found->second);
      if ((stop && *stop > config.systemctl_timeout) ||
          found->second == "infinity") {
        question.found.add(
            {.about = "settings",
             .what = fmt::format(
                 "systemctl-timeout = {} ends a restart of {} while that may "
                 "still stop: its TimeoutStopSec= is {}",
                 config.systemctl_timeout.count(), unit, found->second),
             .remedy = fmt::format("set a longer systemctl-timeout in the "
                                   "configuration, or a shorter "
                                   "TimeoutStopSec=: systemctl edit {}",
                                   unit)});
      }
    }
  }
}

}  // namespace

void look_at_settings(const Question& question) {
  const Config& config = question.config;
  const auto way = config.state_dir->lexically_normal().lexically_relative(
      config.repo_dir.lexically_normal());
  if (!way.empty() && *way.begin() != "..") {
    question.found.add(
        {.about = "settings",
         .what = fmt::format("state-dir = {} is in the checkout, where git "
                             "clean removes it",
                             config.state_dir->string()),
         .remedy = "name a folder outside of " + config.repo_dir.string() +
                   ", or leave state-dir out of the configuration"});
  }
  try {
    compare_stop_timeouts(question);
  } catch (const Error&) {  // the look at the units says why
    return;
  }
}

void look_at_clock(const Question& question, const Record& record) {
  if (!record.history.empty() &&
      record.history.back().ended > now() + clock_tolerance) {
    question.found.add(
        {.about = "clock",
         .what = fmt::format("the clock is at {}, before the last deployment "
                             "ended: {}",
                             to_string(now()),
                             to_string(record.history.back().ended)),
         .remedy = "set the clock: timedatectl set-ntp true"});
  }
  CommandResult answer;
  try {
    answer = question.runner.run(
        {.purpose = "asking for the clock",
         .program = "timedatectl",
         .arguments = {"show", "--property=NTPSynchronized", "--value"},
         .context = question.context});
  } catch (const Error&) {
    answer.status.code = 1;
  }
  if (!answer.status.success()) {
    question.found.skip("the clock: timedatectl does not answer");
  } else if (answer.out.starts_with("no")) {
    question.found.note({.about = "clock",
                         .what = "the clock is not synchronized: certificates "
                                 "and the times of retries depend on it",
                         .remedy = "let it be: timedatectl set-ntp true"});
  } else {
    question.found.saw("clock", "synchronized");
  }
}

}  // namespace deployment
