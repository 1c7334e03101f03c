#include "lib/deploy/report.hpp"

#include <algorithm>

#include "lib/base/text.hpp"
#include "lib/checkout/ownership.hpp"
#include "lib/plan/homes.hpp"
#include "lib/plan/inputs_text.hpp"
#include "lib/plan/plan_text.hpp"
#include "lib/plan/verdict.hpp"

namespace deployment {
namespace {

// Lines of an error that are told as one.
constexpr std::size_t most_parts = 20;

bool calls_itself_an_error(std::string_view line) {
  return line.starts_with("fatal: ") || line.starts_with("error: ") ||
         line.starts_with("ERROR: ") || line.starts_with("npm error ");
}

// True when an error says that some file may not be read or written.
bool speaks_of_permission(std::string_view text) {
  return contains_any(text, {"ermission denied", "not permitted",
                             "dubious ownership", "EACCES"});
}

// Describes the files below `folder` that do not belong to the checkout's user;
// nullopt when there are none.
std::optional<std::string> describe_foreign_files(
    const Host& host, const std::filesystem::path& folder) {
  std::optional<std::filesystem::path> file;
  try {
    if (host.user) {
      file = find_foreign_file(*host.checkout, folder, host.user->uid);
    }
  } catch (const Error&) {  // it is a hint, and must not hide what it is for
    return std::nullopt;
  }
  if (!file) {
    return std::nullopt;
  }
  return fmt::format(
      "not all files below {0} belong to {1}: {2} does not; if they are in the "
      "way: chown -R {1}: {3}",
      folder.string(), host.user->name, file->string(),
      quoted(host.config.repo_dir));
}

// True when another commit is in the place of the deployed one.
bool was_moved(const Record& record,
               const std::optional<CommitId>& checked_out) {
  return record.deployed && checked_out && checked_out != record.deployed;
}

// Returns the heads for a run that only makes again what is gone: never a
// commit that somebody fetched. nullopt: the remote's commit is known and not
// here.
std::optional<Heads> heads_to_repair(const Host& host, const Record& record) {
  const std::optional<CommitId> known =
      record.pending ? std::optional(record.pending->tip) : record.quarantined;
  if (known && !host.git.has_commit(*known)) {
    return std::nullopt;
  }
  host.log.info(
      fmt::format("{} is away; what {} runs on is gone and made again",
                  host.config.remote, record.deployed->abbreviated()));
  return host.git.heads_here(known.value_or(*record.deployed));
}

// Returns the answer, or the error of a question that failed, as one line.
template <typename Question>
std::string answer(const Question& question) {
  try {
    return question();
  } catch (const Error& error) {
    return one_line(error.what());
  }
}

std::string describe_state(const Host& host, const Record& record,
                           const Component& component) {
  std::vector<std::string> services;
  for (const std::string& name : component.services) {
    services.push_back(fmt::format(
        "{} is {}; ", name, answer([&] {
          const UnitState unit = host.systemd.state_of(name);
          return fmt::format("{} ({})", unit.active_state, unit.sub_state);
        })));
  }
  const std::string made_from = answer([&] {
    const auto known = record.components.find(component.name);
    const auto label = host.store.live_label(
        known == record.components.end() ? component
                                         : home_of(component, known->second));
    return !label                  ? "not known"
           : label->inputs.empty() ? one_line(to_text(*label))
                                   : list_inputs(label->inputs);
  });
  return fmt::format("{}: {}{} was made from: {}", component.name,
                     fmt::join(services, ""), environment_of(component),
                     made_from);
}

}  // namespace

std::string one_line(std::string_view text) {
  const std::vector<std::string_view> lines = split(trimmed(text), '\n');
  if (lines.size() < 2) {
    return std::string(trimmed(text));
  }
  std::string_view what = lines.front();
  if (what.ends_with(':')) {
    what.remove_suffix(1);
  }
  const auto second = lines.begin() + 1;
  auto why = std::find_if(second, lines.end(), calls_itself_an_error);
  // Without such a line the last one says why. Before git's general words
  // ssh(1) or the transport has said it.
  if (why == lines.end() ||
      (*why == "fatal: Could not read from remote repository." &&
       why != second)) {
    --why;
  }
  return fmt::format("{}: {}", what, *why);
}

std::string one_line(const Error& error) {
  const std::string text = error.what();
  const auto parts = split(trimmed(text), '\n');
  if (dynamic_cast<const CommandError*>(&error) != nullptr ||
      parts.size() > most_parts) {
    return one_line(text);
  }
  std::string line;
  for (const std::string_view part : parts) {
    line += line.empty() || line.ends_with(": ") ? "" : ", ";
    line += part;
    line += line.ends_with(':') ? " " : "";
  }
  return line;
}

std::string describe_stuck(const Record& record,
                           const std::optional<CommitId>& checked_out) {
  if (const std::optional<Pending>& pending = record.pending) {
    const Failure failure = pending->failure.value_or(Failure{});
    const bool repairs = pending->repairs && record.roll_back_to;
    const std::string what = fmt::format(
        "the {} {} is pending: '{}' failed",
        repairs               ? "repair of"
        : record.roll_back_to ? "rollback to"
                              : "deployment of",
        record.roll_back_to.value_or(pending->tip).abbreviated(), failure.step);
    if (pending->deferred_since) {
      return fmt::format(
          "the deployment of {} waits since {}: the gate says not now: {}; "
          "each run asks again",
          pending->tip.abbreviated(), to_string(*pending->deferred_since),
          failure.error);
    }
    if (pending->failure && pending->attempts == 0) {
      return fmt::format("{}: {}; each run looks again", what, failure.error);
    }
    const bool takes_away = record.roll_back_to && !pending->repairs &&
                            record.quarantined != pending->tip;
    return fmt::format(
        "{} ({} so far): {}; next try at {}, or now with {}{}", what,
        times(pending->attempts), failure.error, to_string(pending->next_try),
        record.roll_back_to ? "--rollback" : "--force",
        takes_away
            ? fmt::format(", which leaves {} out until another commit comes",
                          pending->tip.abbreviated())
            : "");
  }
  const std::string by = as_asked(asked_by(record));
  if (was_moved(record, checked_out)) {
    return fmt::format(
        "{0} is quarantined{1}; {2} was deployed, but somebody moved the "
        "checkout to {3}, and services may run that; to return: --rollback "
        "{2}; to deploy {0}: --force",
        record.quarantined->abbreviated(), by, record.deployed->abbreviated(),
        checked_out->abbreviated());
  }
  return fmt::format(
      "{} is quarantined{}; {} stays deployed until another commit comes, or "
      "--force tries this one again",
      record.quarantined->abbreviated(), by,
      record.deployed ? record.deployed->abbreviated() : "nothing");
}

std::string asked_by(const Record& record) {
  const bool is_of_another =
      record.pending && record.pending->tip != record.quarantined;
  return is_of_another ? "" : record.quarantined_by;
}

int exit_code_of_stuck(const Record& record,
                       const std::optional<CommitId>& checked_out) {
  if (record.pending && record.pending->deferred_since) {
    return 0;
  }
  return record.pending || asked_by(record).empty() ||
                 was_moved(record, checked_out)
             ? exit_failed
             : 0;
}

int report_stuck(const Record& record, Log& log,
                 const std::optional<CommitId>& checked_out) {
  const int code = exit_code_of_stuck(record, checked_out);
  log.write(code == 0 ? Level::info : Level::error,
            describe_stuck(record, checked_out));
  return code;
}

Heads heads_without_remote(const Host& host, const Record& record,
                           const CommitId& deployed) {
  Heads heads = host.git.heads_here(record.deployed.value_or(deployed));
  const std::optional<CommitId> known =
      record.pending ? record.pending->tip : heads.tracking;
  if (known && host.git.has_commit(*known)) {
    heads.tip = *known;
  }
  return heads;
}

std::optional<Heads> ask_remote(const Host& host, const Record& record) {
  try {
    Heads heads = host.git.heads();
    if (record.remote_away_since) {
      host.log.info(fmt::format(
          "{} answers again; it was away for {}", host.config.remote,
          describe_duration(now() - *record.remote_away_since)));
    }
    return heads;
  } catch (const RemoteUnreachable& error) {
    host.log.error(one_line(error.what()) + "; " + *error.advice());
    return std::nullopt;
  }
}

std::optional<CommitId> checked_out(const Host& host, const Heads& heads) {
  return heads.on_branch ? heads.local : host.git.current_commit();
}

std::optional<Heads> heads_under_way(const Host& host, const Record& record,
                                     const Standing& standing) {
  const std::optional<CommitId> tip = commit_under_way(record, now());
  if (!tip || !host.git.has_commit(*tip)) {
    return record.deployed && !standing.is_complete()
               ? heads_to_repair(host, record)
               : std::nullopt;
  }
  host.log.info(fmt::format(
      "{} is away; the {} goes on, since its commit is here",
      host.config.remote,
      record.roll_back_to
          ? fmt::format("rollback to {}", record.roll_back_to->abbreviated())
          : fmt::format("deployment of {}", tip->abbreviated())));
  return host.git.heads_here(*tip);
}

void say_what_begins(const Host& host, const Record& record, const Plan& plan) {
  const Change& change = *plan.change;
  const std::string by = asked_by(record);
  host.log.info(
      !record.roll_back_to ? "deploying " + describe(change)
      : record.pending && record.pending->repairs
          ? "repairing " + describe(change.to, change.to_subject)
      : by.empty() || record.roll_back_to == record.deployed
          ? "rolling back to " + describe(change.to, change.to_subject)
          : fmt::format("rolling back {}{}", describe(change), as_asked(by)));
  if (plan.in_place_reason) {
    host.log.info("environments are built in place: " + *plan.in_place_reason);
  }
  if (const auto foreign =
          describe_foreign_files(host, host.config.repo_dir / ".git")) {
    host.log.warning(*foreign);
  }
}

void say_failure(const Host& host, const Error& error) {
  std::string advice = error.advice().value_or(
      "push a fix; if the cause is on this host, fix it there: the next "
      "scheduled run continues");
  if (speaks_of_permission(error.what())) {
    if (const auto foreign =
            describe_foreign_files(host, host.config.repo_dir)) {
      advice += '\n' + *foreign;
    }
  }
  host.log.error(error.what());
  host.log.error("what to do: " + advice);
}

void say_mixture(const Host& host, const Record& record,
                 const std::string& step) {
  std::string lines =
      fmt::format("the rollback to {} failed at '{}'\nthe checkout is at {}",
                  record.roll_back_to->abbreviated(), step,
                  answer([&] { return host.git.current_commit().str(); }));
  for (const Component& component : host.config.components) {
    lines += '\n' + describe_state(host, record, component);
  }
  host.log.write(Level::critical, lines);
}

}  // namespace deployment
