#include "lib/deploy/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/columns.hpp"
#include "lib/base/json.hpp"
#include "lib/base/text.hpp"
#include "lib/deploy/report.hpp"
#include "lib/model/paths.hpp"
#include "lib/plan/plan_text.hpp"

namespace deployment {
namespace {

History read_history(const std::filesystem::path& state_dir) {
  const auto text = Directory::open_protected(state_dir).read(history_name);
  return text ? parse_history(*text, (state_dir / history_name).string())
              : History{};
}

std::string damaged_name() {
  return std::string(history_name) + ".damaged";
}

// Lets a history that cannot be read make way.
void put_aside(Directory& folder, const std::string& trouble, Log& log) {
  log.warning(fmt::format(
      "{}; the history begins anew with what the record has, and that file is "
      "kept as {}",
      trouble, (folder.path() / damaged_name()).string()));
  folder.rename(history_name, damaged_name());
}

std::string describe(const HistoryEntry& entry) {
  constexpr std::size_t indent = 4;
  const Deployment& past = entry.deployment;
  const std::string row =
      fmt::format("{}  {:<11}  {}  ", to_string(past.ended),
                  to_string(past.outcome), past.to.abbreviated());
  std::string text = row + fitted(entry.subject, columns - width_of(row));
  text = std::string(trimmed(text)) + '\n';
  const std::string from =
      past.from ? fmt::format(", from {}", past.from->abbreviated()) : "";
  const std::string author =
      entry.author.empty() ? "" : ", written by " + entry.author;
  const std::string attempts =
      entry.attempts == 1 ? "" : fmt::format(", {}", times(entry.attempts));
  text += wrapped("",
                  fmt::format("in {}{}{}{}{}", describe_duration(past.duration),
                              attempts, from, author, as_asked(past.by)),
                  indent);
  std::string steps;
  for (const TimedStep& step : entry.steps) {
    steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", step.step,
                         describe_duration(step.duration));
  }
  if (!steps.empty()) {
    text += wrapped("", steps, indent);
  }
  if (!past.invocation_id.empty()) {
    text += wrapped(
        "", "journalctl _SYSTEMD_INVOCATION_ID=" + past.invocation_id, indent);
  }
  return text;
}

Json to_json(const HistoryEntry& entry) {
  const Deployment& past = entry.deployment;
  Json steps = Json::array();
  for (const TimedStep& step : entry.steps) {
    steps.push_back(
        {{"step", step.step},
         {"seconds", static_cast<double>(step.duration.count()) / 1000}});
  }
  return {{"ended", to_string(past.ended)},
          {"outcome", to_string(past.outcome)},
          {"seconds", past.duration.count()},
          {"from", past.from ? past.from->str() : ""},
          {"to", past.to.str()},
          {"subject", entry.subject},
          {"author", entry.author},
          {"by", past.by},
          {"attempts", entry.attempts},
          {"steps", steps},
          {"invocation_id", past.invocation_id}};
}

}  // namespace

KnownHistory known_history(const std::filesystem::path& state_dir,
                           const Record& record) {
  KnownHistory known;
  try {
    known.history = read_history(state_dir);
  } catch (const Error& error) {
    known.trouble = one_line(error);
  }
  catch_up(known.history, record.history);
  return known;
}

std::optional<Deployment> ended(const Work& work, Deployment::Outcome outcome) {
  if (!work.change) {
    return std::nullopt;
  }
  return Deployment{.ended = now(),
                    .outcome = outcome,
                    .duration = std::chrono::round<std::chrono::seconds>(
                        time_since(work.started)),
                    .from = work.change->from,
                    .to = work.change->to,
                    .by = work.person,
                    .invocation_id = invocation_id()};
}

void keep_history(Work& work) {
  const Record& record = work.journal.record();
  try {
    auto folder = Directory::create_protected(*work.host.config.state_dir);
    History history;
    try {
      history = read_history(folder.path());
    } catch (const Error& error) {
      put_aside(folder, one_line(error), work.host.log);
    }
    if (!catch_up(history, record.history)) {
      return;
    }
    HistoryEntry& entry = history.entries.back();
    if (work.change && entry.deployment.to == work.change->to) {
      entry.subject = work.change->to_subject;
      entry.author = work.change->to_author;
      entry.steps = std::exchange(work.steps, {});
    }
    folder.replace(history_name, to_text(history));
  } catch (const std::exception& error) {
    work.host.log.warning(one_line(error.what()));
  }
}

std::string describe_history(const Config& config, std::size_t count, bool json,
                             Log& log) {
  const auto [history, trouble] =
      known_history(*config.state_dir, Journal(*config.state_dir).record());
  if (!trouble.empty()) {
    log.warning(trouble + "; this is what the record has");
  }
  const auto& entries = history.entries;
  const auto end = entries.rbegin() +
                   static_cast<std::ptrdiff_t>(std::min(count, entries.size()));
  if (json) {
    Json array = Json::array();
    std::transform(entries.rbegin(), end, std::back_inserter(array),
                   [](const HistoryEntry& entry) { return to_json(entry); });
    return json_line(array);
  }
  std::string text;
  std::for_each(entries.rbegin(), end,
                [&](const HistoryEntry& entry) { text += describe(entry); });
  return text.empty() ? "nothing was deployed yet\n" : text;
}

}  // namespace deployment
