#include "lib/deploy/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/columns.hpp"
#include "lib/base/text.hpp"
#include "lib/plan/plan_text.hpp"

namespace deployment {
namespace {

constexpr std::size_t indent = 11;  // of values

// One field; without a key it goes on with the one before.
std::string field(std::string_view key, std::string_view value) {
  const bool fits = width_of(key) < indent;
  return (fits || key.empty() ? "" : fmt::format("{}\n", key)) +
         wrapped(fits ? key : "", value, indent);
}

std::string commit_text(const CommitId& commit, const Subject& subject,
                        const std::string& time = "") {
  const std::string words = fitted(subject(commit), columns - indent);
  const std::string ends = fmt::format("{}{}{}", time, time.empty() ? "" : ", ",
                                       commit.abbreviated());
  return words.empty() ? ends : fmt::format("{} ({})", words, ends);
}

// Answers the first question, and those that follow from it; empty: nothing is
// to be said of that.
struct Answer {
  std::string whether;
  std::string since = {};
  std::string next = {};
  std::string command = {};  // that a person may run then; ends `next`
  std::string why = {};
  std::string_view who = "error";  // says why
};

Answer answer_of_pending(const Pending& pending, const Record& record,
                         const Config& config) {
  const bool goes_back = record.roll_back_to.has_value();
  const std::string_view what = pending.repairs && goes_back ? "repair"
                                : goes_back                  ? "rollback"
                                                             : "deployment";
  Answer answer{.whether = fmt::format("not up to date: a {} is pending", what),
                .since = to_string(pending.since),
                .next = "the next run goes on"};
  if (pending.running) {
    answer.whether =
        fmt::format("not up to date: a {} is in progress, or was killed", what);
    answer.next = "if it was killed, the next run goes on";
  } else if (pending.deferred_since) {
    answer.whether = "not up to date: the gate says not now";
    answer.since = to_string(*pending.deferred_since);
    answer.next = "each run asks again";
    answer.who = "gate";
  } else if (pending.failure && pending.attempts == 0) {
    answer.whether = fmt::format("not up to date: the {} stopped at '{}'", what,
                                 pending.failure->step);
    answer.next = "each run looks again";
  } else if (pending.failure) {
    answer.whether = fmt::format("not up to date: the {} failed at '{}'", what,
                                 pending.failure->step);
    answer.since += fmt::format(", {}", times(pending.attempts));
    answer.next =
        fmt::format("again at {}, or now:", to_string(pending.next_try));
    answer.command = command_with(config, goes_back ? "--rollback" : "--force");
  }
  if (pending.failure) {
    answer.why = pending.failure->error;
  }
  return answer;
}

// Returns the rollback that ended with the quarantine; nullptr: it is not
// known.
const Deployment* end_of_quarantined(const Record& record) {
  for (auto past = record.history.rbegin(); past != record.history.rend();
       ++past) {
    if (past->outcome == Deployment::Outcome::rolled_back) {
      return &*past;
    }
  }
  return nullptr;
}

Answer answer_of_quarantine(const Record& record, const Config& config) {
  const Deployment* ended = end_of_quarantined(record);
  Answer answer{
      .whether = "not up to date: the commit that was pushed is quarantined",
      .since = ended == nullptr ? "" : to_string(ended->ended),
      .next = "push a fix, or try that commit again:",
      .command = command_with(config, "--force")};
  if (!record.quarantined_by.empty()) {
    answer.whether = "not up to date" + as_asked(record.quarantined_by);
    answer.next = "stays until another commit is pushed, or:";
  }
  if (record.quarantined_for) {
    answer.why = fmt::format("failed at '{}': {}", record.quarantined_for->step,
                             record.quarantined_for->error);
  }
  return answer;
}

// Says what of the deployed commit does not stand; empty: all does.
std::string describe_trouble(const Record& record, const Config& config,
                             const Seen& seen) {
  if (seen.checked_out && seen.checked_out != record.deployed) {
    return "another commit is checked out";
  }
  for (const Component& component : config.components) {
    if (seen.gone.contains(component.name)) {
      return fmt::format("{} has lost its {}", component.name,
                         environment_of(component));
    }
    for (const std::string& unit : component.services) {
      const auto state = seen.services.find(unit);
      if (state != seen.services.end() &&
          (state->second.starts_with("failed") ||
           state->second.starts_with("inactive"))) {
        return fmt::format("{} is {}", unit, state->second);
      }
    }
  }
  return "";
}

Answer answer_of(const Record& record, const Config& config, const Seen& seen) {
  if (record.pending) {
    return answer_of_pending(*record.pending, record, config);
  }
  if (record.quarantined) {
    return answer_of_quarantine(record, config);
  }
  if (!record.deployed) {
    return {.whether = "nothing is deployed yet"};
  }
  const std::string branch = config.remote + '/' + config.branch;
  const std::string trouble = describe_trouble(record, config, seen);
  if (record.remote_away_since) {
    return {.whether = fmt::format(
                "not known to be up to date: {} does not answer{}",
                config.remote, trouble.empty() ? "" : ", and " + trouble),
            .since = to_string(*record.remote_away_since),
            .next = "each run asks again"};
  }
  return {.whether = fmt::format("up to date with {}{}", branch,
                                 trouble.empty() ? "" : ", but " + trouble)};
}

// Returns what systemd calls the run that failed; empty: it did not start it.
std::string failed_run(const Record& record) {
  if (!record.pending) {
    const Deployment* ended =
        record.quarantined ? end_of_quarantined(record) : nullptr;
    return ended == nullptr ? "" : ended->invocation_id;
  }
  const bool is_told_of =
      !record.history.empty() &&
      record.history.back().outcome == Deployment::Outcome::failed &&
      record.history.back().to == record.pending->tip;
  return is_told_of ? record.history.back().invocation_id : "";
}

std::string describe_answer(const Record& record, const Config& config,
                            const Seen& seen) {
  const Answer answer = answer_of(record, config, seen);
  std::string text = wrapped("", answer.whether, 0);
  const auto add = [&](std::string_view key, std::string_view value) {
    text += value.empty() ? "" : field(key, value);
  };
  add("since", answer.since);
  const std::string next = answer.next + ' ' + answer.command;
  if (indent + width_of(next) <= columns) {
    add("next", trimmed(next));
  } else {  // a command stays in one piece
    add("next", answer.next);
    add("", answer.command);
  }
  add(answer.who, answer.why);
  if (const auto id = failed_run(record); !id.empty()) {
    text += field("log", "journalctl _SYSTEMD_INVOCATION_ID=" + id);
  }
  return text;
}

std::string describe_commits(const Record& record, const Subject& subject,
                             const Seen& seen) {
  std::string text;
  if (record.pending) {
    text += field("pending", commit_text(record.pending->tip, subject));
  }
  if (record.quarantined) {
    text += field("quarantine", commit_text(*record.quarantined, subject) +
                                    as_asked(record.quarantined_by));
  }
  if (record.deployed) {
    const std::optional<Time> time = deployed_at(record);
    text += field("deployed", commit_text(*record.deployed, subject,
                                          time ? to_string(*time) : ""));
  }
  if (seen.checked_out && seen.checked_out != record.deployed) {
    text +=
        field("", commit_text(*seen.checked_out, subject) + " is checked out");
  }
  // Otherwise the answer has told it.
  const bool is_untold =
      record.pending || record.quarantined || !record.deployed;
  if (record.remote_away_since && is_untold) {
    text +=
        field("remote", "away since " + to_string(*record.remote_away_since));
  }
  return text;
}

std::string describe_component(const std::string& name,
                               const ComponentRecord& component,
                               const Config& config, const Seen& seen) {
  std::vector<std::string> values;
  const auto configured =
      std::ranges::find(config.components, name, &Component::name);
  if (configured != config.components.end()) {
    for (const std::string& unit : configured->services) {
      const auto state = seen.services.find(unit);
      if (state != seen.services.end()) {
        values.push_back(fmt::format("{} is {}", unit, state->second));
      }
    }
  }
  if (const auto trouble = seen.troubles.find(name);
      trouble != seen.troubles.end()) {
    values.push_back(trouble->second);
  }
  if (!component.root.empty()) {
    values.push_back(fmt::format(
        "runs on the environment of the workspace root {}", component.root));
  }
  for (const Endpoint& endpoint : component.listens) {
    values.push_back(fmt::format("listened on {} when it was verified",
                                 to_string(endpoint)));
  }
  values.push_back(component.commit
                       ? fmt::format("on {}", component.commit->abbreviated())
                   : component.unverified_commit
                       ? fmt::format("restarted on {}, not verified yet",
                                     component.unverified_commit->abbreviated())
                       : "on no commit that is known");
  std::string text;
  for (const std::string& value : values) {
    text += field(text.empty() ? name : "", value);
  }
  return text;
}

}  // namespace

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

std::string status_text(const Config& config, const Record& record,
                        const std::string& path, const Subject& subject,
                        const Seen& seen) {
  std::string text = (seen.hold.empty() ? "" : field("held", seen.hold)) +
                     describe_answer(record, config, seen) +
                     describe_commits(record, subject, seen);
  for (const auto& [name, component] : record.components) {
    text += describe_component(name, component, config, seen);
  }
  for (const auto& [name, commit] : record.released) {
    text +=
        field("released", fmt::format("{} for {}", name, commit.abbreviated()));
  }
  if (!record.checkout.empty()) {
    text += field("checkout", record.checkout.string());
  }
  return text + field("record", path) +
         field("history", command_with(config, "--history"));
}

}  // namespace deployment
