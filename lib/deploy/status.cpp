#include "lib/deploy/status.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "lib/base/json.hpp"
#include "lib/base/text.hpp"
#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/model/paths.hpp"
#include "lib/plan/plan_text.hpp"

namespace deployment {
namespace {

// Returns the subject of a commit; empty when it is not known.
using Subject = std::function<std::string(const std::optional<CommitId>&)>;

std::optional<Time> deployed_at(const Record& record) {
  std::optional<Time> time;
  for (const Deployment& past : record.history) {
    if (past.outcome == Deployment::Outcome::deployed &&
        past.to == record.deployed && !(time && is_repetition(past))) {
      time = past.ended;
    }
  }
  return time;
}

std::string abbreviated_or_dash(const std::optional<CommitId>& commit) {
  return commit ? std::string(commit->abbreviated()) : "-";
}

// One line; without a key it goes on with the one before.
std::string line(std::string_view key, std::string_view value) {
  return fmt::format("{:<10} {}\n", key, escaped(value));
}

std::string describe_deployed(const Record& record, const Subject& subject) {
  if (!record.deployed) {
    return line("deployed", "nothing yet");
  }
  const std::optional<Time> time = deployed_at(record);
  return line("deployed", describe(*record.deployed, subject(record.deployed)) +
                              ", " + (time ? to_string(*time) : "-"));
}

std::string describe_pending(const Pending& pending, const Subject& subject) {
  std::string text =
      line("pending", describe(pending.tip, subject(pending.tip)));
  if (pending.running) {
    text += line("", "a run is in progress, or was killed");
  }
  if (pending.failure) {
    text += line(
        "", pending.attempts == 0
                ? fmt::format("stopped at '{}' since {}; each run looks again",
                              pending.failure->step, to_string(pending.since))
                : fmt::format("failed at '{}', {} since {}; next try at {}",
                              pending.failure->step, times(pending.attempts),
                              to_string(pending.since),
                              to_string(pending.next_try)));
    text += line("", pending.failure->error);
  }
  return text;
}

std::string as_text(const std::string& path, const Record& record,
                    const Subject& subject) {
  std::string text = describe_deployed(record, subject);
  if (record.pending) {
    text += describe_pending(*record.pending, subject);
  }
  if (record.quarantined) {
    text += line("quarantine",
                 describe(*record.quarantined, subject(record.quarantined)) +
                     as_asked(record.quarantined_by));
  }
  if (!record.checkout.empty()) {
    text += line("checkout", record.checkout.string());
  }
  if (record.remote_away_since) {
    text +=
        line("remote", "away since " + to_string(*record.remote_away_since));
  }
  for (const auto& [name, commit] : record.released) {
    text +=
        line("released", fmt::format("{} for {}", commit.abbreviated(), name));
  }
  for (const auto& [name, component] : record.components) {
    text += line(name, abbreviated_or_dash(component.commit));
    for (const auto& [input, hash] : component.inputs) {
      text += line("", fmt::format("{}  {}", hash, input));
    }
    for (const Endpoint& endpoint : component.listens) {
      text += line("", "listens on " + to_string(endpoint));
    }
  }
  for (const Deployment& past : record.history) {
    text +=
        line("history",
             fmt::format("{}  {:<11} {} -> {}  {}{}", to_string(past.ended),
                         to_string(past.outcome),
                         abbreviated_or_dash(past.from), past.to.abbreviated(),
                         describe_duration(past.duration), as_asked(past.by)));
    if (!past.invocation_id.empty()) {
      text +=
          line("", "journalctl _SYSTEMD_INVOCATION_ID=" + past.invocation_id);
    }
  }
  return text + line("record", path);
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

Json as_json(const std::string& path, const Record& record,
             const Subject& subject) {
  Json components = Json::object();
  for (const auto& [name, component] : record.components) {
    Json listens = Json::array();
    for (const Endpoint& endpoint : component.listens) {
      listens.push_back(to_string(endpoint));
    }
    components[name] = {{"commit", text_or_empty(component.commit)},
                        {"inputs", component.inputs},
                        {"listens", listens}};
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
  return {
      {"deployed",
       {{"commit", text_or_empty(record.deployed)},
        {"subject", subject(record.deployed)},
        {"time", time ? to_string(*time) : ""}}},
      {"pending", record.pending ? to_json(*record.pending, subject) : Json()},
      {"quarantined",
       record.quarantined ? Json(record.quarantined->str()) : Json()},
      {"quarantined_by", record.quarantined_by},
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
  return json ? json_line(as_json(path, record, subject))
              : as_text(path, record, subject);
}

}  // namespace deployment
