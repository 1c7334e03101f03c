#include "lib/deploy/services.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "lib/deploy/report.hpp"
#include "lib/deploy/rollback.hpp"
#include "lib/model/transitions.hpp"
#include "lib/plan/inputs.hpp"
#include "lib/plan/verdict.hpp"
#include "lib/services/ports.hpp"

namespace deployment {
namespace {

// Returns the component whose services have to be known; nullptr: none. One
// that is skipped may be of an application that has lost it.
const Component* needs_services(const Step& step, const Record& record) {
  if (const auto* restart = std::get_if<Restart>(&step)) {
    return &restart->component;
  }
  const auto* skip = std::get_if<Skip>(&step);
  return skip != nullptr && !was_configured_so(skip->component, record)
             ? &skip->component
             : nullptr;
}

std::optional<Time> last_verification(const Record& record) {
  std::optional<Time> time;
  for (const Deployment& past : record.history) {
    if (past.outcome != Deployment::Outcome::failed) {
      time = past.ended;
    }
  }
  return time;
}

// True when a person changed the unit, and it is to run otherwise from its
// restart on.
bool is_about_to_change(const UnitState& unit) {
  const auto start = start_of(unit);
  return start && files_changed_since(unit, *start);
}

// Returns where the services of a component are expected to listen again after
// their restart. A person may have moved them: by another unit, or by another
// start of the same.
ExpectedPorts expected_of(const Component& component,
                          const std::vector<UnitState>& units,
                          const Record& record, const Systemd& systemd) {
  const auto found = record.components.find(component.name);
  const ComponentRecord known =
      found == record.components.end() ? ComponentRecord{} : found->second;
  const auto verified = last_verification(record);
  // Else nobody verified them as they are now, or an earlier version of this
  // program did.
  bool is_verified = known.commit && !known.configured.empty();
  bool changes = false;
  bool one_is_silent = false;
  std::optional<Endpoints> listeners = Endpoints();
  for (const UnitState& unit : units) {
    is_verified =
        is_verified && !(verified && files_changed_since(unit, *verified));
    changes = changes || is_about_to_change(unit);
    const auto more = start_of(unit)
                          ? listeners_of(unit, systemd.held_for(unit))
                          : Endpoints();
    one_is_silent = one_is_silent || (more && more->empty());
    add_listeners(listeners, more);
  }
  if (changes) {
    return {
        .listens = known.listens.empty() ? accepting(listeners) : known.listens,
        .may_move = true};
  }
  return is_verified ? expected_again(known.listens, listeners, one_is_silent)
                     : ExpectedPorts{.listens = accepting(listeners)};
}

bool is_checked(const Component& component) {
  return component.health_check || component.health_command;
}

// Says what is not expected of the services of a component.
void say_what_is_not_expected(const Component& component,
                              const ExpectedPorts& expected, const Host& host) {
  if (expected.may_move && !expected.listens.empty()) {
    std::vector<std::string> places;
    for (const Endpoint& endpoint : expected.listens) {
      places.push_back(to_string(endpoint));
    }
    host.log.warning(fmt::format(
        "{}: {} was changed, or started otherwise, since it listened on {}: "
        "it may listen on another port after its restart",
        component.name, describe_services(component), fmt::join(places, ", ")));
  }
  if (expected.came_late && !is_checked(component)) {
    host.log.warning(fmt::format(
        "{}: {} listens, but did not within {} after its restart: it is not "
        "expected to listen again; set settle longer, or a health-check",
        component.name, describe_services(component),
        describe_duration(host.config.settle)));
  }
}

// Notes what is expected of services that are to be restarted for the first
// time in this deployment.
void expect(const Component& component, const std::vector<UnitState>& units,
            Work& work) {
  const Record& record = work.journal.record();
  if (has_moved(record)) {
    return;
  }
  const ExpectedPorts expected =
      expected_of(component, units, record, work.host.systemd);
  say_what_is_not_expected(component, expected, work.host);
  work.journal.write(transition::expected_to_listen, component.name,
                     expected.listens, expected.may_move);
}

void look_at(const Restart& restart, Work& work) {
  const Component& component = restart.component;
  std::vector<UnitState> states;
  for (const std::string& unit : component.services) {
    const UnitState state = work.host.state_of(unit);
    require_loaded(state, unit);
    if (restart.reloads && !state.can_reload) {
      throw Error(
          fmt::format("{} cannot be reloaded: it has no ExecReload=", unit),
          fmt::format(
              "add that to the unit, or take action = reload out of [{}]",
              component.name));
    }
    work.states_before[unit] = state;
    states.push_back(state);
  }
  expect(component, states, work);
}

Expectations expectations_of(const Work& work) {
  const Record& record = work.journal.record();
  Expectations expectations{.before = work.states_before,
                            .reloaded = work.reloaded,
                            .may_have_moved = work.may_have_moved};
  for (const auto& [name, component] : record.components) {
    expectations.listens[name] = component.listens;
    if (work.may_move || component.may_move) {
      expectations.may_move.insert(name);
    }
    if (component.may_move) {
      expectations.may_vanish.insert(name);
    }
  }
  return expectations;
}

std::string describe_trouble(const Component& component,
                             const std::string& trouble, const Work& work) {
  const bool were_reloaded = std::ranges::all_of(
      component.services,
      [&](const std::string& unit) { return work.reloaded.contains(unit); });
  const bool is_one = component.services.size() == 1;
  return fmt::format(
      "{} {} {} and {} as {} should: {}", describe_services(component),
      is_one ? "was" : "were", were_reloaded ? "reloaded" : "restarted",
      is_one ? "does not run" : "do not run", is_one ? "it" : "they", trouble);
}

// Back at the deployed commit, its services listen elsewhere than before: what
// moved them is not the commit that was left.
void excuse_the_commit_left(const std::set<std::string>& moved, Work& work) {
  const auto left = commit_to_acquit(work.journal.record());
  if (moved.empty() || !left || work.is_asked) {
    return;
  }
  work.host.log.warning(fmt::format(
      "{} listens elsewhere than before also on {}: {} is not blamed for it",
      fmt::join(moved, ", "), work.change->to.abbreviated(),
      left->abbreviated()));
  work.journal.write(transition::acquitted);
}

}  // namespace

void require_loaded(const UnitState& state, const std::string& unit) {
  if (state.load_state == "masked") {
    throw Error(fmt::format("{} cannot be restarted: it is masked", unit),
                fmt::format("unmask it: systemctl unmask {}", unit));
  }
  if (!state.load_state.empty() && state.load_state != "loaded") {
    throw Error(fmt::format("{} cannot be restarted: systemd calls it {}", unit,
                            state.load_state),
                how_to_examine(unit));
  }
}

void require_services(const Plan& plan, const Record& record,
                      const Host& host) {
  if (!host.config.names_components ||
      (record.roll_back_to && has_moved(record))) {
    return;
  }
  for (const Step& step : plan.steps) {
    const Component* component = needs_services(step, record);
    if (component == nullptr) {
      continue;
    }
    for (const std::string& unit : component->services) {
      if (host.state_of(unit).load_state == "not-found") {
        throw Obstacle(
            fmt::format("component {}: systemd does not know its service {}; "
                        "nothing was changed",
                        component->name, unit),
            fmt::format("correct the service of [{}] in the configuration, or "
                        "install the unit",
                        component->name));
      }
    }
  }
}

void set_expectations(const Request& request, bool goes_back, Work& work) {
  const Record& record = work.journal.record();
  // A person may ask for a commit whose services listen elsewhere. Of the
  // deployed one, which served before, nothing better can be had.
  work.is_asked = request.roll_back && !goes_back;
  work.may_have_moved = returns(record);
  work.may_move = work.is_asked ||
                  (record.roll_back_to ? !work.may_have_moved : request.force);
}

void look_at_services(const Plan& plan, Work& work) {
  for (const Step& step : plan.steps) {
    const auto* restart = std::get_if<Restart>(&step);
    if (restart != nullptr && !restart->may_fail) {
      look_at(*restart, work);
    }
  }
  work.host.asked_ahead.states.clear();
}

void say_what_goes_on(const Component& component, const Work& work) {
  const Change& change = *work.change;
  try {
    if (!component.services.empty() && change.from != change.to &&
        !work.host.git.list_tree(change.from.str(), manifests_of(component))
             .empty()) {
      work.host.log.warning(
          fmt::format("{}: {} may go on with what {} had: {} has nothing of it",
                      component.name, describe_services(component),
                      change.from.abbreviated(), change.to.abbreviated()));
    }
  } catch (const Error& error) {  // it is a hint
    work.host.log.warning(one_line(error));
  }
}

void verify_services(const std::vector<Component>& components, Work& work) {
  const Host& host = work.host;
  const Verification seen =
      verify(host.config, components, expectations_of(work), host.systemd,
             host.runner, host.as_user);
  excuse_the_commit_left(seen.moved, work);
  std::map<std::string, bool> stayed_up;
  std::vector<std::string> lines;
  std::vector<std::string> advice;
  for (const Component& component : components) {
    const auto trouble = seen.troubles.find(component.name);
    if (trouble != seen.troubles.end()) {
      stayed_up[component.name] = false;
      lines.push_back(describe_trouble(component, trouble->second, work));
      for (const std::string& unit : component.services) {
        advice.push_back(how_to_examine(unit));
      }
    } else if (seen.troubles.empty()) {  // else it was not watched to the end
      stayed_up[component.name] = true;
    }
  }
  work.journal.write(transition::verify_ended, stayed_up, seen.listens,
                     work.change->to);
  if (!lines.empty()) {
    throw ServiceDown(fmt::format("{}", fmt::join(lines, "\n")),
                      fmt::format("{}", fmt::join(advice, "\n")));
  }
}

bool is_of_services(const Error& error) {
  return dynamic_cast<const ServiceDown*>(&error) != nullptr;
}

}  // namespace deployment
