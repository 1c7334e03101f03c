#include "lib/deploy/notices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/directory.hpp"
#include "lib/deploy/hold.hpp"
#include "lib/deploy/programs.hpp"
#include "lib/deploy/report.hpp"
#include "lib/model/transitions.hpp"
#include "lib/plan/plan_text.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

// Has what it takes to call the program.
struct Caller {
  const Config& config;
  Log& log;
  CommandRunner& runner;
  const Host* host = nullptr;  // nullptr: it could not be opened
};

// Looks up what a run does not know by itself.
void complete(Sight& seen, const Config& config) {
  const std::optional<Hold> hold = look_at_hold(config);
  seen.held_since = hold ? std::optional(hold->since) : std::nullopt;
  seen.now = now();
  seen.notify_away = config.notify_away;
}

// A clock that was set back must not extend the wait beyond the longest one.
bool is_due(const Record& record, Time now) {
  const std::optional<Retry>& retry = record.told.retry;
  return !retry || now >= retry->next || retry->next - now > 60min;
}

// Finds how the deployment of a commit ended last.
const Deployment* last_of(const Record& record,
                          const std::optional<CommitId>& commit) {
  const auto found =
      std::find_if(record.history.rbegin(), record.history.rend(),
                   [&](const Deployment& past) { return past.to == commit; });
  return found == record.history.rend() ? nullptr : &*found;
}

std::string or_empty(const std::optional<Time>& time) {
  return time ? to_string(*time) : "";
}

// Returns since when what the event says is so.
std::optional<Time> since_of(Event event, const Record& record,
                             const Notice& notice) {
  switch (event) {
    case Event::held:
      return notice.told.held_since;
    case Event::released:
      return record.told.held_since;
    case Event::remote_away:
      return record.remote_away_since;
    case Event::remote_back:
      return record.told.away_since;
    default:
      return record.pending ? std::optional(record.pending->since)
                            : std::nullopt;
  }
}

void add_outcome(Json& facts, const Outcome& outcome, const Record& record) {
  facts["step"] = outcome.failure.step;
  facts["error"] = outcome.failure.error;
  facts["by"] = outcome.by;
  if (record.pending) {
    facts["attempts"] = record.pending->attempts;
    facts["next_try"] = to_string(record.pending->next_try);
  }
  const Deployment* past = last_of(record, outcome.commit);
  if (past != nullptr) {
    facts["seconds"] = past->duration.count();
    facts["by"] = outcome.by.empty() ? past->by : outcome.by;
    facts["invocation_id"] = past->invocation_id;
  }
}

// Says in one line what happened.
std::string text_of(const Json& facts, Event event, const Notice& notice) {
  const auto word = [&](const char* key) {
    return facts[key].get<std::string>();
  };
  const std::string instance = word("instance");
  const std::string where =
      instance.empty() ? word("host")
                       : fmt::format("{} ({})", word("host"), instance);
  const std::string what =
      notice.outcome && notice.outcome->commit
          ? describe(*notice.outcome->commit, word("subject"))
          : word("branch");
  const std::string trouble =
      word("step").empty()
          ? ""
          : fmt::format(" at '{}': {}", word("step"), word("error"));
  switch (event) {
    case Event::deployed:
      return fmt::format("{}: deployed {}", where, what);
    case Event::recovered:
      return fmt::format("{}: recovered: {} is deployed", where, what);
    case Event::failed:
      return fmt::format("{}: the deployment of {} failed{}", where, what,
                         trouble);
    case Event::failed_differently:
      return fmt::format("{}: the deployment of {} fails otherwise now{}",
                         where, what, trouble);
    case Event::rolled_back:
      return fmt::format("{}: rolled back {}{}{}", where, what,
                         as_asked(word("by")), trouble);
    case Event::remote_away:
      return fmt::format("{}: {} has not answered since {}", where,
                         word("remote"), word("since"));
    case Event::remote_back:
      return fmt::format("{}: {} answers again; it was away since {}", where,
                         word("remote"), word("since"));
    case Event::held:
      return fmt::format("{}: held since {}{}: {}", where, word("since"),
                         as_asked(word("by")), word("reason"));
    case Event::released:
      return fmt::format("{}: released; it was held since {}", where,
                         word("since"));
  }
  return "";
}

Json facts_about(Event event, const Notice& notice, const Caller& caller,
                 const Record& record) {
  const auto commit = notice.outcome ? notice.outcome->commit : record.deployed;
  const Deployment* past = notice.outcome ? last_of(record, commit) : nullptr;
  Json facts = {{"event", to_string(event)}, {"text", ""}};
  facts.update(caller.host == nullptr
                   ? facts_of(caller.config)
                   : facts_of(*caller.host,
                              past != nullptr ? past->from : std::nullopt,
                              commit));
  facts.update(Json{{"deployed", record.deployed ? record.deployed->str() : ""},
                    {"step", ""},
                    {"error", ""},
                    {"attempts", 0},
                    {"next_try", ""},
                    {"seconds", 0},
                    {"by", ""},
                    {"reason", ""},
                    {"since", or_empty(since_of(event, record, notice))},
                    {"invocation_id", invocation_id()},
                    {"time", to_string(now())}});
  if (notice.outcome) {
    add_outcome(facts, *notice.outcome, record);
  }
  if (event == Event::held) {
    const Hold hold = look_at_hold(caller.config).value_or(Hold{});
    facts["by"] = hold.by;
    facts["reason"] = hold.reason;
  }
  facts["text"] = text_of(facts, event, notice);
  return facts;
}

// Returns false when the program fails, which is a warning.
bool call(Event event, const Notice& notice, const Caller& caller,
          const Record& record) {
  try {
    caller.runner.run_checked(
        program_of(caller.config, caller.config.notify,
                   fmt::format("telling: {}", to_string(event)),
                   facts_about(event, notice, caller, record)));
    return true;
  } catch (const std::exception& error) {
    caller.log.warning(one_line(error.what()));
    return false;
  }
}

void tell_all(const Caller& caller, Journal& journal, const Sight& seen) {
  while (const auto notice = next_notice(journal.record(), seen)) {
    if (notice->event) {
      if (!is_due(journal.record(), seen.now)) {
        return;
      }
      // Do not call where that cannot be noted: each run would do it again.
      journal.write(transition::telling_began, now());
      if (!call(*notice->event, *notice, caller, journal.record())) {
        journal.write(transition::telling_failed, now());
        return;
      }
    }
    journal.write(transition::told, notice->told);
  }
}

// Lets the record say what was told while it could not be opened.
void take_over(const std::filesystem::path& state_dir, Journal& journal) {
  const Told beside = Journal(state_dir, told_name).record().told;
  if (beside == Told{}) {
    return;
  }
  if (!beside.outcome.empty()) {
    Told told = journal.record().told;
    told.outcome = beside.outcome;
    journal.write(transition::told, told);
  }
  Directory::open_protected(state_dir).remove(told_name);
}

}  // namespace

bool has_news(const Config& config) {
  if (config.notify.empty()) {
    return false;
  }
  const Journal journal(*config.state_dir);
  Sight seen{.is_begin = true};
  complete(seen, config);
  const auto notice = next_notice(journal.record(), seen);
  std::error_code unknown;
  // Only the end of a run tells that what stopped one is over, and one that is
  // held does not come to it.
  const bool is_owed =
      notice ? notice->event.has_value()
             : !seen.held_since && was_told_of_stop(journal.record().told);
  return (notice && !notice->event) ||
         (is_owed && is_due(journal.record(), seen.now)) ||
         std::filesystem::exists(*config.state_dir / told_name, unknown);
}

void tell(const Host& host, Journal& journal, Sight seen) {
  if (host.config.notify.empty()) {
    return;
  }
  try {
    if (seen.is_begin) {
      take_over(*host.config.state_dir, journal);
    }
    complete(seen, host.config);
    tell_all({host.config, host.log, host.runner, &host}, journal, seen);
  } catch (const std::exception& error) {
    host.log.warning(one_line(error.what()));
  }
}

void tell_of_stop(const Config& config, const Failure& failure, Log& log,
                  CommandRunner& runner) {
  if (config.notify.empty()) {
    return;
  }
  try {
    Journal beside(*config.state_dir, told_name);
    tell_all({config, log, runner}, beside, {.now = now(), .failure = failure});
  } catch (const std::exception& error) {
    log.warning("nobody is told: " + one_line(error.what()));
  }
}

}  // namespace deployment
