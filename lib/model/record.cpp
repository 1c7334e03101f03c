#include "lib/model/record.hpp"

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
  constexpr std::size_t kept_deployments = 10;
  history.push_back(deployment);
  if (history.size() > kept_deployments) {
    history.erase(history.begin());
  }
}

}  // namespace deployment
