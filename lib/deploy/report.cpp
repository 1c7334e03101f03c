#include "lib/deploy/report.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "lib/base/text.hpp"
#include "lib/plan/plan_text.hpp"

namespace deployment {

std::string one_line(std::string_view text) {
  const std::vector<std::string_view> lines = split(trimmed(text), '\n');
  if (lines.size() < 2) {
    return std::string(trimmed(text));
  }
  const auto why =
      std::find_if(lines.begin() + 1, lines.end(), [](std::string_view line) {
        return line.starts_with("fatal: ") || line.starts_with("error: ") ||
               line.starts_with("ERROR: ") || line.starts_with("npm error ");
      });
  std::string_view what = lines.front();
  if (what.ends_with(':')) {
    what.remove_suffix(1);
  }
  if (why == lines.end()) {
    return fmt::format("{}: {}", what, lines.back());
  }
  // ssh(1) or the transport has then said the reason in the line before.
  const bool told_before =
      *why == "fatal: Could not read from remote repository." &&
      why - lines.begin() > 1;
  return fmt::format("{}: {}", what, told_before ? *(why - 1) : *why);
}

std::string describe_stuck(const Record& record) {
  const auto abbreviated = [](const std::optional<CommitId>& commit) {
    return commit ? std::string(commit->abbreviated()) : "nothing";
  };
  if (const std::optional<Pending>& pending = record.pending) {
    return fmt::format(
        "the deployment of {} is pending: '{}' failed ({} so far); next try at "
        "{}, or now with --force",
        pending->tip.abbreviated(),
        pending->failure ? pending->failure->step : "",
        times(pending->attempts), to_string(pending->next_try));
  }
  return fmt::format(
      "{} is quarantined; {} stays deployed until another commit comes, or "
      "--force tries this one again",
      abbreviated(record.quarantined), abbreviated(record.deployed));
}

std::string describe_deployed(const Change& change,
                              std::chrono::milliseconds duration,
                              int failures) {
  return fmt::format(
      "deployed {} in {}{}", describe(change.to, change.to_subject),
      describe_duration(duration),
      failures == 0 ? ""
                    : fmt::format(", after it had failed {}", times(failures)));
}

std::string describe_rolled_back(const Change& change,
                                 std::chrono::milliseconds duration) {
  return fmt::format("rolled back to {} in {}",
                     describe(change.to, change.to_subject),
                     describe_duration(duration));
}

std::vector<std::string> describe_mixture(
    const CommitId& roll_back_to, const std::string& step,
    const std::string& checkout_commit,
    const std::vector<ComponentState>& components) {
  std::vector<std::string> lines = {
      fmt::format("the rollback to {} failed at '{}'",
                  roll_back_to.abbreviated(), step),
      "the checkout is at " + checkout_commit};
  for (const ComponentState& component : components) {
    lines.push_back(fmt::format(
        "{}: {} is {}; {} was made from: {}", component.name, component.service,
        component.service_state, component.environment, component.made_from));
  }
  return lines;
}

std::string advice_for(const Error& error) {
  return error.advice().empty()
             ? "push a fix; if the cause is on this host, fix it there: the "
               "next scheduled run continues"
             : error.advice();
}

bool speaks_of_permission(std::string_view text) {
  constexpr std::array<std::string_view, 4> words = {
      "ermission denied", "not permitted", "dubious ownership", "EACCES"};
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}

std::string describe_foreign_files(
    const std::filesystem::path& checkout, const std::string& owner,
    const std::vector<std::filesystem::path>& files,
    const std::string& repair) {
  return fmt::format(
      "files below {} do not belong to {} ({} for one); if they are in the "
      "way: {}",
      checkout.string(), owner, files.front().string(), repair);
}

}  // namespace deployment
