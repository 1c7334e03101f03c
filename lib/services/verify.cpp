#include "lib/services/verify.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/process/processes.hpp"
#include "lib/services/health.hpp"
#include "lib/services/listening.hpp"
#include "lib/services/ports.hpp"

namespace deployment {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds pause{250};
// Services that start need the processors more: systemd is asked less often
// than its main processes are looked at.
constexpr milliseconds between_questions{1000};
constexpr milliseconds least_time{1000};  // that a health check gets

template <typename Value>
Value value_or_none(const std::map<std::string, Value>& values,
                    const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? Value() : found->second;
}

// Says where a unit listens; not where that cannot be told.
std::string describe_listeners(const std::string& unit,
                               const std::optional<Endpoints>& listeners) {
  std::vector<std::string> places;
  for (const Endpoint& endpoint : listeners.value_or(Endpoints{})) {
    places.push_back(to_string(endpoint));
  }
  return places.empty() ? unit + " listens nowhere"
                        : fmt::format("{} listens on {}", unit,
                                      fmt::join(places, " and "));
}

// A unit that is watched.
struct Unit {
  std::string name;
  std::optional<UnitState> first = {};
  std::optional<UnitState> last = {};
  steady_clock::time_point asked = {};  // when systemd said the last
  Endpoints held = {};                  // by its .socket units
};

// The services of a component, which are watched together.
struct Watched {
  const Component& component;
  Ports ports;
  milliseconds timeout;
  steady_clock::time_point last_good;  // when they passed, or were restarted
  std::vector<Unit> units = {};
  bool has_answered = false;

  milliseconds time_left() const {
    return std::chrono::duration_cast<milliseconds>(last_good + timeout -
                                                    steady_clock::now());
  }
};

class Watch {
 public:
  Watch(const Config& config, const std::vector<Component>& components,
        const Expectations& expectations, const Systemd& systemd,
        CommandRunner& runner, const Context& context)
      : expectations_(expectations),
        systemd_(systemd),
        runner_(runner),
        context_(context) {
    for (const Component& component : components) {
      services_.push_back(
          {.component = component,
           .ports = Ports(value_or_none(expectations.listens, component.name),
                          expectations.may_move.contains(component.name),
                          command_with(config, "--force")),
           .timeout = component.health_timeout.value_or(config.health_timeout),
           .last_good = start_});
      for (const std::string& unit : component.services) {
        services_.back().units.push_back({.name = unit});
      }
    }
  }

  // Watches until `end`, and further until all services pass their checks.
  // Returns as soon as one of them is in trouble.
  Troubles watch_until(steady_clock::time_point end) {
    for (;;) {
      const bool is_over = steady_clock::now() >= end;
      Troubles troubles = look_at_units(is_over);
      const bool all_pass = troubles.empty() && make_checks(troubles);
      if (!troubles.empty() || (is_over && all_pass)) {
        return troubles;
      }
      wait_for(pause);
    }
  }

  void ask_again() {
    for (Watched& service : services_) {
      service.has_answered = false;
      service.ports.connect_again();
    }
  }

  EndpointsByName listens() {
    EndpointsByName listens;
    for (Watched& service : services_) {
      if (const auto endpoints = service.ports.accepting()) {
        listens[service.component.name] = *endpoints;
      }
    }
    return listens;
  }

  std::set<std::string> moved() const {
    std::set<std::string> moved;
    for (const Watched& service : services_) {
      if (service.ports.has_moved()) {
        moved.insert(service.component.name);
      }
    }
    return moved;
  }

  steady_clock::time_point start() const { return start_; }

 private:
  Troubles look_at_units(bool is_over) {
    Troubles troubles;
    for (Watched& service : services_) {
      std::optional<Endpoints> listeners = Endpoints();
      std::vector<std::string> by_unit;
      for (Unit& unit : service.units) {
        const UnitState& now = state_of(
            unit, is_over || service.time_left() <= milliseconds::zero());
        if (const auto trouble = trouble_of(unit, now)) {
          troubles.try_emplace(
              service.component.name,
              service.units.size() == 1
                  ? *trouble
                  : fmt::format("{}: {}", unit.name, *trouble));
        }
        const auto own = listeners_of(now, unit.held);
        add_listeners(listeners, own);
        by_unit.push_back(describe_listeners(unit.name, own));
      }
      service.ports.look(
          listeners, steady_clock::now() - start_ <= service.timeout / 2,
          by_unit.size() == 1 ? ""
                              : fmt::format("{}", fmt::join(by_unit, ", ")));
    }
    return troubles;
  }

  // Returns what systemd said a moment ago, as long as the main process that it
  // named is there and nothing is `decided` by the answer.
  const UnitState& state_of(Unit& unit, bool decided) {
    const auto now = steady_clock::now();
    const bool is_recent = unit.last && now - unit.asked < between_questions;
    if (decided || !is_recent || unit.last->main_pid == 0 ||
        !is_alive(unit.last->main_pid)) {
      unit.last = systemd_.state_of(unit.name);
      unit.asked = now;
    }
    return *unit.last;
  }

  std::optional<std::string> trouble_of(Unit& unit, const UnitState& now) {
    if (!unit.first) {
      unit.first = now;
      unit.held = systemd_.held_for(now);
    }
    return why_not_up(value_or_none(expectations_.before, unit.name),
                      *unit.first, now,
                      expectations_.reloaded.contains(unit.name));
  }

  // Returns true when all services pass. Adds the trouble of the first one that
  // has not passed for its timeout.
  bool make_checks(Troubles& troubles) {
    bool all_pass = true;
    for (Watched& service : services_) {
      const auto problem = problem_of(service);
      if (!problem) {
        service.last_good = steady_clock::now();
        continue;
      }
      all_pass = false;
      if (service.time_left() <= milliseconds::zero()) {
        const std::string& name = service.component.name;
        if (expectations_.may_have_moved &&
            service.ports.accept_another_port(
                expectations_.may_vanish.contains(name))) {
          service.last_good = steady_clock::now();
          return false;
        }
        troubles[name] = fmt::format(
            "after {}, {}", describe_duration(service.timeout), *problem);
        return false;
      }
    }
    return all_pass;
  }

  std::optional<std::string> problem_of(Watched& service) {
    std::optional<std::string> problem = service.ports.why_not_listening();
    if (problem || service.has_answered) {
      return problem;
    }
    problem = service.ports.why_no_connection();
    if (!problem) {
      Context context = context_;
      context.timeout = std::max(service.time_left(), least_time);
      problem = ask_health(runner_, context, service.component);
    }
    service.has_answered = !problem;
    return problem;
  }

  const Expectations& expectations_;
  const Systemd& systemd_;
  CommandRunner& runner_;
  const Context& context_;
  std::vector<Watched> services_ = {};
  steady_clock::time_point start_ = steady_clock::now();
};

}  // namespace

std::optional<std::string> why_not_up(const UnitState& before,
                                      const UnitState& first,
                                      const UnitState& now, bool reloaded) {
  const bool is_active = now.active_state == "active" ||
                         (reloaded && now.active_state == "reloading");
  if (!is_active) {
    return fmt::format("it is {} ({}), result {}", now.active_state,
                       now.sub_state, now.result);
  }
  const bool goes_on = now.invocation_id == before.invocation_id;
  if (reloaded && !goes_on) {
    return "it did not go on: it was started again";
  }
  if (!reloaded && (now.invocation_id.empty() || goes_on)) {
    return "it is the same invocation as before the restart";
  }
  if (now.restarts != 0) {  // systemd counts from a manual start on
    return fmt::format("systemd had to start it again ({})",
                       times(now.restarts));
  }
  if (now.invocation_id != first.invocation_id) {
    return "somebody started it again meanwhile";
  }
  if (now.main_pid == 0 && now.sub_state != "exited") {
    return "it has no main process";
  }
  if (now.main_pid != 0 && !is_alive(now.main_pid)) {
    return fmt::format("its main process {} is gone", now.main_pid);
  }
  return std::nullopt;
}

Verification verify(const Config& config,
                    const std::vector<Component>& components,
                    const Expectations& expectations, const Systemd& systemd,
                    CommandRunner& runner, const Context& context) {
  Watch watch(config, components, expectations, systemd, runner, context);
  Troubles troubles = watch.watch_until(watch.start() + config.settle);
  if (troubles.empty()) {
    watch.ask_again();
    troubles = watch.watch_until(steady_clock::now());
  }
  if (!troubles.empty()) {
    return {.troubles = troubles};
  }
  return {.listens = watch.listens(), .moved = watch.moved()};
}

}  // namespace deployment
