#include "lib/model/history.hpp"

#include <algorithm>

#include "lib/base/error.hpp"
#include "lib/base/ini.hpp"
#include "lib/model/deployment_text.hpp"

namespace deployment {
namespace {

void add(History& history, const Deployment& ended) {
  constexpr std::size_t kept = 100;
  std::vector<HistoryEntry>& entries = history.entries;
  int attempts = 1;
  if (!entries.empty() && is_again(entries.back().deployment, ended)) {
    attempts += entries.back().attempts;
    entries.pop_back();
  }
  entries.push_back({.deployment = ended, .attempts = attempts});
  ++history.totals[ended.outcome];
  if (entries.size() > kept) {
    entries.erase(entries.begin());
  }
}

// Splits "NUMBER WORDS".
std::pair<int, std::string_view> numbered(std::string_view text) {
  const std::string_view number = take_part(text, ' ');
  return {number_of(number), text};
}

void read_detail(HistoryEntry& entry, const IniEntry& line) {
  if (line.key == "subject") {
    entry.subject = ini_unescaped(line.value);
  } else if (line.key == "author") {
    entry.author = ini_unescaped(line.value);
  } else if (line.key == "attempts") {
    entry.attempts = number_of(line.value);
  } else if (line.key == "step") {
    const auto [duration, step] = numbered(line.value);
    entry.steps.push_back({.step = ini_unescaped(step),
                           .duration = std::chrono::milliseconds(duration)});
  } else {
    throw Malformed{fmt::format("unknown key '{}'", escaped(line.key))};
  }
}

void read_line(History& history, const IniEntry& line) {
  if (line.key == "total") {
    const auto [total, outcome] = numbered(line.value);
    history.totals[outcome_of(outcome)] = total;
  } else if (line.key == "deployment") {
    history.entries.push_back({.deployment = parse_deployment(line.value)});
  } else if (history.entries.empty()) {
    throw Malformed{fmt::format("'{}' stands before the first deployment",
                                escaped(line.key))};
  } else {
    read_detail(history.entries.back(), line);
  }
}

}  // namespace

bool catch_up(History& history, const std::vector<Deployment>& recorded) {
  const auto is_known = [&](const Deployment& deployment) {
    return std::ranges::find(history.entries, deployment,
                             &HistoryEntry::deployment) !=
           history.entries.end();
  };
  const auto last_known =
      std::find_if(recorded.rbegin(), recorded.rend(), is_known);
  std::for_each(last_known.base(), recorded.end(),
                [&](const Deployment& ended) { add(history, ended); });
  return last_known != recorded.rbegin();
}

std::string to_text(const History& history) {
  std::string text =
      "# Deployments that ended, the oldest first; written by "
      "deployment-update.\n";
  const auto add_line = [&](std::string_view key, const std::string& value) {
    text += value.empty() ? "" : fmt::format("{} = {}\n", key, value);
  };
  for (const auto& [outcome, total] : history.totals) {
    add_line("total", fmt::format("{} {}", total, to_string(outcome)));
  }
  for (const HistoryEntry& entry : history.entries) {
    add_line("deployment", to_line(entry.deployment));
    add_line("subject", ini_escaped(entry.subject));
    add_line("author", ini_escaped(entry.author));
    add_line("attempts",
             entry.attempts == 1 ? "" : std::to_string(entry.attempts));
    for (const TimedStep& step : entry.steps) {
      add_line("step", fmt::format("{} {}", step.duration.count(),
                                   ini_escaped(step.step)));
    }
  }
  return text;
}

History parse_history(std::string_view text, const std::string& source) {
  const auto refuse = [&](const std::string& why) {
    return Error(fmt::format("the history {} cannot be read: {}", source, why));
  };
  History history;
  try {
    for (const IniEntry& line : parse_ini(text, source)) {
      if (!line.section.empty()) {
        throw Malformed{"it has sections"};
      }
      read_line(history, line);
    }
  } catch (const Malformed& malformed) {
    throw refuse(malformed.why);
  } catch (const UsageError& error) {
    throw refuse(error.what());
  }
  return history;
}

}  // namespace deployment
