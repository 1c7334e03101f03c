#include "lib/services/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
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

// One service while it is watched.
class Watched {
 public:
  Watched(const Component& component, const StatesBefore& before,
          const Systemd& systemd)
      : component_(component), systemd_(systemd) {
    const auto found = before.find(component.service);
    if (found != before.end()) {  // otherwise an earlier run restarted it
      before_ = found->second;
    }
  }

  // Asks for the state once more. Trouble that was seen once stays.
  void check_state() {
    if (trouble_) {
      return;
    }
    try {
      const UnitState now = systemd_.state_of(component_.service);
      if (!first_) {
        first_ = now;
      }
      trouble_ = why_not_up(before_, *first_, now);
    } catch (const Error& error) {
      trouble_ = error.what();
    }
  }

  void check_health(milliseconds timeout, CommandRunner& runner,
                    Context context) {
    if (trouble_ || component_.health_check.empty()) {
      return;
    }
    const auto deadline = steady_clock::now() + timeout;
    context.timeout = timeout;
    std::optional<std::string> problem;
    do {
      problem = ask_health(runner, context, component_.health_check);
      if (!problem) {
        return;
      }
      wait_for(pause);
    } while (steady_clock::now() < deadline);
    trouble_ =
        fmt::format("{} does not answer within {}: {}", component_.health_check,
                    describe_duration(timeout), *problem);
  }

  const std::string& name() const { return component_.name; }
  const std::optional<std::string>& trouble() const { return trouble_; }

 private:
  const Component& component_;
  const Systemd& systemd_;
  UnitState before_;
  std::optional<UnitState> first_;
  std::optional<std::string> trouble_;
};

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
    return fmt::format("systemd had to start it again ({})",
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

std::map<std::string, std::string> verify(
    const Config& config, const std::vector<Component>& components,
    const StatesBefore& before, const Systemd& systemd, CommandRunner& runner,
    const Context& context) {
  std::vector<Watched> units;
  for (const Component& component : components) {
    units.emplace_back(component, before, systemd).check_state();
  }
  const auto all_up = [&] {
    return std::all_of(units.begin(), units.end(),
                       [](const Watched& unit) { return !unit.trouble(); });
  };
  const auto deadline = steady_clock::now() + config.settle;
  for (bool last = false; !last && all_up();) {
    last = steady_clock::now() >= deadline;
    for (Watched& unit : units) {
      unit.check_state();
    }
    if (!last && all_up()) {
      wait_for(pause);
    }
  }
  for (Watched& unit : units) {
    if (all_up()) {
      unit.check_health(config.health_timeout, runner, context);
    }
  }
  std::map<std::string, std::string> troubles;
  for (const Watched& unit : units) {
    if (unit.trouble()) {
      troubles[unit.name()] = *unit.trouble();
    }
  }
  return troubles;
}

}  // namespace deployment
