#include "lib/verify.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "lib/health.hpp"
#include "lib/interrupt.hpp"

namespace deployment {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds pause{250};

bool is_alive(int pid) {
  return ::kill(pid, 0) == 0 || errno == EPERM;
}

void require_up(const Component& component, const UnitState& before,
                const UnitState& first, const UnitState& now) {
  const std::string why = why_not_up(before, first, now);
  if (!why.empty()) {
    throw Error(fmt::format("{} was restarted and did not stay up: {}",
                            component.service, why),
                fmt::format("look at: systemctl status {0}; journalctl -u {0}",
                            component.service));
  }
}

void require_health(const Component& component, milliseconds timeout,
                    CommandRunner& runner, Command prototype) {
  const auto deadline = steady_clock::now() + timeout;
  prototype.timeout = timeout;
  for (;;) {
    const std::string trouble =
        ask_health(runner, prototype, component.health_check);
    if (trouble.empty()) {
      return;
    }
    if (steady_clock::now() + pause >= deadline) {
      throw Error(fmt::format("{} runs and {} does not answer within {} ms: {}",
                              component.service, component.health_check,
                              timeout.count(), trouble),
                  fmt::format("look at: journalctl -u {}", component.service));
    }
    wait_for(pause);
  }
}

}  // namespace

std::string why_not_up(const UnitState& before, const UnitState& first,
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
    return fmt::format("systemd had to start it again ({} times)",
                       now.restarts);
  }
  if (now.main_pid == 0 && now.sub_state != "exited") {
    return "it has no main process";
  }
  if (now.main_pid != 0 && !is_alive(now.main_pid)) {
    return fmt::format("its main process {} is gone", now.main_pid);
  }
  return {};
}

void verify(const Config& config, const std::vector<Component>& components,
            const StatesBefore& before, const Systemd& systemd,
            CommandRunner& runner, const Command& prototype) {
  StatesBefore first;
  for (const Component& component : components) {
    first[component.service] = systemd.state_of(component.service);
  }
  const auto deadline = steady_clock::now() + config.settle;
  for (bool last = false; !last;) {
    last = steady_clock::now() >= deadline;
    for (const Component& component : components) {
      const std::string& unit = component.service;
      require_up(component, before.at(unit), first.at(unit),
                 systemd.state_of(unit));
    }
    if (!last) {
      wait_for(std::min(pause, std::chrono::ceil<milliseconds>(
                                   std::max(deadline - steady_clock::now(),
                                            steady_clock::duration::zero()))));
    }
  }
  for (const Component& component : components) {
    if (!component.health_check.empty()) {
      require_health(component, config.health_timeout, runner, prototype);
    }
  }
}

}  // namespace deployment
