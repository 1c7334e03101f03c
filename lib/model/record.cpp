#include "lib/model/record.hpp"

#include <algorithm>

#include "lib/base/ini.hpp"

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
  inputs[ini_unescaped(line.substr(gap + 2))] =
      ini_unescaped(line.substr(0, gap));
  return true;
}

bool has_moved(const Record& record) {
  return record.pending && record.pending->reached != Reached::nothing;
}

std::string_view to_string(Reached reached) {
  return reached == Reached::nothing ? ""
         : reached == Reached::moved ? "moved"
                                     : "restarted";
}

std::string_view to_string(Deployment::Outcome outcome) {
  using Outcome = Deployment::Outcome;
  return outcome == Outcome::rolled_back ? "rolled-back"
         : outcome == Outcome::failed    ? "failed"
                                         : "deployed";
}

void add_to_history(std::vector<Deployment>& history,
                    const Deployment& deployment) {
  constexpr std::size_t kept = 10;
  constexpr std::ptrdiff_t kept_good = 5;
  history.push_back(deployment);
  if (history.size() <= kept) {
    return;
  }
  const auto good = std::ranges::count(history, Deployment::Outcome::deployed,
                                       &Deployment::outcome);
  const bool may_go = good > kept_good ||
                      history.front().outcome != Deployment::Outcome::deployed;
  const auto oldest_bad =
      std::ranges::find_if(history, [](const Deployment& past) {
        return past.outcome != Deployment::Outcome::deployed;
      });
  history.erase(may_go ? history.begin() : oldest_bad);
}

}  // namespace deployment
