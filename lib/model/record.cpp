#include "lib/model/record.hpp"

namespace deployment {

std::string_view to_string(Reached reached) {
  if (reached == Reached::nothing) {
    return {};
  }
  return reached == Reached::moved ? "moved" : "restarted";
}

std::string_view to_string(Deployment::Outcome outcome) {
  if (outcome == Deployment::Outcome::rolled_back) {
    return "rolled-back";
  }
  return outcome == Deployment::Outcome::failed ? "failed" : "deployed";
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
