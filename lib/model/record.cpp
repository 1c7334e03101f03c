#include "lib/model/record.hpp"

#include <algorithm>

#include "lib/base/ini.hpp"
#include "lib/base/text.hpp"

namespace deployment {

std::string to_line(const Inputs::value_type& input) {
  return fmt::format("{}  {}", ini_escaped(input.second),
                     ini_escaped(input.first));
}

bool add_line(Inputs& inputs, std::string_view line) {
  const std::size_t gap = line.find("  ");
  if (gap == std::string_view::npos) {
    return false;
  }
  const std::string value = ini_unescaped(line.substr(0, gap));
  if (value.find("  ") != std::string::npos) {  // to_line() writes no such line
    return false;
  }
  inputs[ini_unescaped(line.substr(gap + 2))] = value;
  return true;
}

std::string to_line(const Retry& retry) {
  return fmt::format("{} {}", retry.tries, to_string(retry.next));
}

std::optional<Retry> parse_retry(std::string_view line) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) {
    return std::nullopt;
  }
  const std::optional<int> tries = parse_number(line.substr(0, blank));
  const std::optional<Time> next = parse_time(line.substr(blank + 1));
  return tries && next ? std::optional(Retry{.tries = *tries, .next = *next})
                       : std::nullopt;
}

bool has_moved(const Record& record) {
  return record.pending && record.pending->reached != Reached::nothing;
}

bool returns(const Record& record) {
  return record.roll_back_to &&
         (!record.deployed || record.roll_back_to == record.deployed);
}

std::string_view to_string(Reached reached) {
  return reached == Reached::nothing ? ""
         : reached == Reached::moved ? "moved"
                                     : "restarted";
}

std::string_view to_string(Deployment::Outcome outcome) {
  return outcome == Deployment::Outcome::rolled_back ? "rolled-back"
         : outcome == Deployment::Outcome::failed    ? "failed"
                                                     : "deployed";
}

bool is_repetition(const Deployment& deployment) {
  return deployment.outcome == Deployment::Outcome::deployed &&
         deployment.from == deployment.to;
}

bool is_again(const Deployment& before, const Deployment& ended) {
  const bool are_failures = before.outcome == Deployment::Outcome::failed &&
                            ended.outcome == Deployment::Outcome::failed;
  return before.to == ended.to &&
         (are_failures || (is_repetition(before) && is_repetition(ended)));
}

void add_to_history(std::vector<Deployment>& history,
                    const Deployment& deployment) {
  constexpr std::size_t kept = 10;
  constexpr std::ptrdiff_t kept_good = 5;
  if (!history.empty() && is_again(history.back(), deployment)) {
    history.pop_back();
  }
  history.push_back(deployment);
  if (history.size() <= kept) {
    return;
  }
  const auto is_good = [](const Deployment& past) {
    return past.outcome == Deployment::Outcome::deployed &&
           !is_repetition(past);
  };
  const auto oldest_other = std::ranges::find_if_not(history, is_good);
  const bool has_many = std::ranges::count_if(history, is_good) > kept_good;
  history.erase(has_many || oldest_other == history.end() ? history.begin()
                                                          : oldest_other);
}

}  // namespace deployment
