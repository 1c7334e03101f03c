#include "lib/model/record.hpp"

#include <algorithm>
#include <array>

namespace deployment {
namespace {

constexpr std::size_t kept_deployments = 10;

using Outcome = Deployment::Outcome;

constexpr std::array outcomes = {
    std::pair(Outcome::deployed, std::string_view("deployed")),
    std::pair(Outcome::failed, std::string_view("failed")),
    std::pair(Outcome::rolled_back, std::string_view("rolled-back"))};

constexpr std::array reaches = {
    std::pair(Reached::nothing, std::string_view("")),
    std::pair(Reached::moved, std::string_view("moved")),
    std::pair(Reached::restarted, std::string_view("restarted"))};

template <typename Names, typename Value>
std::string_view name_in(const Names& names, Value value) {
  return std::find_if(names.begin(), names.end(),
                      [&](const auto& entry) { return entry.first == value; })
      ->second;
}

template <typename Value, std::size_t size>
std::optional<Value> value_in(
    const std::array<std::pair<Value, std::string_view>, size>& names,
    std::string_view name) {
  for (const auto& entry : names) {
    if (entry.second == name && !name.empty()) {
      return entry.first;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Reached reached) {
  return name_in(reaches, reached);
}

std::optional<Reached> parse_reached(std::string_view name) {
  return value_in(reaches, name);
}

std::string_view to_string(Deployment::Outcome outcome) {
  return name_in(outcomes, outcome);
}

std::optional<Deployment::Outcome> parse_outcome(std::string_view name) {
  return value_in(outcomes, name);
}

void add_to_history(Record& record, const Deployment& deployment) {
  record.history.push_back(deployment);
  if (record.history.size() > kept_deployments) {
    record.history.erase(record.history.begin());
  }
}

}  // namespace deployment
