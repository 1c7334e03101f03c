#include "lib/deploy/status.hpp"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "lib/base/json.hpp"
#include "lib/deploy/hold.hpp"
#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/deploy/status_text.hpp"
#include "lib/model/paths.hpp"
#include "lib/plan/inputs.hpp"
#include "lib/plan/standing.hpp"

namespace deployment {
namespace {

// Calls `look`; what cannot be seen is not told.
template <typename Look>
void try_to(const Look& look) {
  try {
    look();
  } catch (const Error&) {
    return;
  }
}

// True when the deployed commit has nothing of the component.
bool is_absent(Component component, const Record& record, const Host& host) {
  return host.git.has_commit(*record.deployed) &&
         inputs_behind_links(component, *record.deployed, host.git)
             .manifests.empty();
}

Seen look_at(const Record& record, const Host& host) {
  Seen seen;
  if (!record.deployed) {
    return seen;
  }
  try_to([&] { seen.checked_out = host.git.current_commit(); });
  for (const Component& component : host.config.components) {
    if (!record.components.contains(component.name)) {
      continue;
    }
    for (const std::string& unit : component.services) {
      try_to([&] {
        const UnitState state = host.systemd.state_of(unit);
        seen.services[unit] =
            fmt::format("{} ({})", state.active_state, state.sub_state);
      });
    }
    try_to([&] {
      if (is_absent(component, record, host)) {
        seen.troubles[component.name] = "the deployed commit has nothing of it";
      } else if (is_environment_gone(component, record, host.store)) {
        seen.gone.insert(component.name);
        seen.troubles[component.name] =
            fmt::format("its {} is not the one that was deployed",
                        environment_of(component));
      } else if (const auto gone = gone_outputs(component, record, host.store);
                 !gone.empty()) {
        seen.troubles[component.name] = fmt::format(
            "its build made {}, which is gone", fmt::join(gone, ", "));
      }
    });
  }
  return seen;
}

// The record's JSON has empty strings for what is not known.
std::string text_or_empty(const std::optional<CommitId>& commit) {
  return commit ? commit->str() : "";
}

Json to_json(const Pending& pending, const Subject& subject) {
  const Failure failure = pending.failure.value_or(Failure{});
  return {{"commit", pending.tip.str()},
          {"subject", subject(pending.tip)},
          {"running", pending.running},
          {"failed_step", failure.step},
          {"error", failure.error},
          {"deferred_since", pending.deferred_since
                                 ? Json(to_string(*pending.deferred_since))
                                 : Json()},
          {"attempts", pending.attempts},
          {"since", to_string(pending.since)},
          {"next_try", to_string(pending.next_try)}};
}

Json to_json(const Deployment& past) {
  return {{"ended", to_string(past.ended)},
          {"outcome", to_string(past.outcome)},
          {"seconds", past.duration.count()},
          {"from", text_or_empty(past.from)},
          {"to", past.to.str()},
          {"by", past.by},
          {"invocation_id", past.invocation_id}};
}

Json as_json(const Config& config, const std::string& path,
             const Record& record, const Subject& subject, const Seen& seen) {
  Json components = Json::object();
  for (const auto& [name, component] : record.components) {
    Json listens = Json::array();
    for (const Endpoint& endpoint : component.listens) {
      listens.push_back(to_string(endpoint));
    }
    components[name] = {{"commit", text_or_empty(component.commit)},
                        {"inputs", component.inputs},
                        {"root", component.root},
                        {"listens", listens},
                        {"services", Json::object()},
                        {"trouble", nullptr}};
  }
  for (const Component& component : config.components) {
    for (const std::string& unit : component.services) {
      if (const auto state = seen.services.find(unit);
          state != seen.services.end()) {
        components[component.name]["services"][unit] = state->second;
      }
    }
  }
  for (const auto& [name, trouble] : seen.troubles) {
    components[name]["trouble"] = trouble;
  }
  Json released = Json::object();
  for (const auto& [name, commit] : record.released) {
    released[name] = commit.str();
  }
  Json history = Json::array();
  for (const Deployment& past : record.history) {
    history.push_back(to_json(past));
  }
  const std::optional<Time> time = deployed_at(record);
  const std::optional<Hold> hold = look_at_hold(config);
  const Failure quarantined_for = record.quarantined_for.value_or(Failure{});
  return {
      {"held", hold ? to_json(*hold) : Json()},
      {"deployed",
       {{"commit", text_or_empty(record.deployed)},
        {"subject", subject(record.deployed)},
        {"time", time ? to_string(*time) : ""}}},
      {"checked_out", text_or_empty(seen.checked_out)},
      {"pending", record.pending ? to_json(*record.pending, subject) : Json()},
      {"quarantined",
       record.quarantined ? Json(record.quarantined->str()) : Json()},
      {"quarantined_by", record.quarantined_by},
      {"quarantined_step", quarantined_for.step},
      {"quarantined_error", quarantined_for.error},
      {"remote_away_since", record.remote_away_since
                                ? Json(to_string(*record.remote_away_since))
                                : Json()},
      {"released", released},
      {"components", components},
      {"history", history},
      {"checkout", record.checkout.string()},
      {"record", path}};
}

}  // namespace

std::string describe_status(const Config& config, bool json, Log& log,
                            CommandRunner& runner) {
  const Record record = Journal(*config.state_dir).record();
  const Host host(config, log, runner);
  const Subject subject = [&](const std::optional<CommitId>& commit) {
    try {
      return commit && host.git.has_commit(*commit) ? host.git.subject(*commit)
                                                    : std::string();
    } catch (const Error&) {
      return std::string();
    }
  };
  const std::string path = (*config.state_dir / record_name).string();
  Seen seen = look_at(record, host);
  const std::optional<Hold> hold = look_at_hold(config);
  seen.hold = hold ? describe(*hold) : "";
  return json ? json_line(as_json(config, path, record, subject, seen))
              : status_text(config, record, path, subject, seen);
}

}  // namespace deployment
