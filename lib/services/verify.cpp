#include "lib/services/verify.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>

#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/time.hpp"
#include "lib/services/health.hpp"

namespace deployment {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds pause{250};

bool is_alive(int pid) {
  return ::kill(pid, 0) == 0 || errno == EPERM;
}

// Asks for the state of each service once. A service without a state in
// `before` was restarted by an earlier run; `first` keeps its first state here.
Troubles look_at(const std::vector<Component>& components, UnitStates& before,
                 UnitStates& first, const Systemd& systemd) {
  Troubles troubles;
  for (const Component& component : components) {
    const std::string& unit = component.service;
    try {
      const UnitState now = systemd.state_of(unit);
      first.try_emplace(unit, now);
      if (const auto trouble = why_not_up(before[unit], first[unit], now)) {
        troubles[component.name] = *trouble;
      }
    } catch (const Error& error) {
      troubles[component.name] = error.what();
    }
  }
  return troubles;
}

// Asks until an answer is good, and says what is wrong when none is in time.
// Without a URL there is nothing to ask.
std::optional<std::string> why_not_healthy(
    const std::optional<std::string>& url, milliseconds timeout,
    CommandRunner& runner, Context context) {
  if (!url) {
    return std::nullopt;
  }
  context.timeout = timeout;
  const auto deadline = steady_clock::now() + timeout;
  std::optional<std::string> problem;
  do {
    problem = ask_health(runner, context, *url);
    if (!problem) {
      return std::nullopt;
    }
    wait_for(pause);
  } while (steady_clock::now() < deadline);
  return fmt::format("{} does not answer within {}: {}", *url,
                     describe_duration(timeout), *problem);
}

}  // namespace

std::optional<std::string> why_not_up(const UnitState& before,
                                      const UnitState& first,
                                      const UnitState& now) {
  if (now.active_state != "active") {
    return fmt::format("it is {} ({}), result {}", now.active_state,
                       now.sub_state, now.result);
  }
  if (now.invocation_id.empty() || now.invocation_id == before.invocation_id) {
    return "it is the same invocation as before the restart";
  }
  if (now.invocation_id != first.invocation_id ||
      now.restarts > first.restarts) {
    return now.restarts == 0 ? "somebody started it again meanwhile"
                             : fmt::format("systemd had to start it again ({})",
                                           times(now.restarts));
  }
  if (now.main_pid == 0 && now.sub_state != "exited") {
    return "it has no main process";
  }
  if (now.main_pid != 0 && !is_alive(now.main_pid)) {
    return fmt::format("its main process {} is gone", now.main_pid);
  }
  return std::nullopt;
}

Troubles verify(const Config& config, const std::vector<Component>& components,
                UnitStates before, const Systemd& systemd,
                CommandRunner& runner, const Context& context) {
  UnitStates first;
  Troubles troubles = look_at(components, before, first, systemd);
  const auto deadline = steady_clock::now() + config.settle;
  for (bool last = false; !last && troubles.empty();) {
    last = steady_clock::now() >= deadline;
    troubles = look_at(components, before, first, systemd);
    if (!last && troubles.empty()) {
      wait_for(pause);
    }
  }
  if (!troubles.empty()) {
    return troubles;
  }
  for (const Component& component : components) {
    if (const auto trouble = why_not_healthy(
            component.health_check, config.health_timeout, runner, context)) {
      return {{component.name, *trouble}};
    }
  }
  return {};
}

}  // namespace deployment
