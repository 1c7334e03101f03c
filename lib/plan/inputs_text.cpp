#include "lib/plan/inputs_text.hpp"

#include <fmt/ranges.h>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

std::string describe_input(const std::string& name, const std::string& before,
                           const std::string& after) {
  if (name == "python3" || name == node_input) {
    return fmt::format("{} was {} and is {}", name, before, after);
  }
  if (before.empty() && is_of_build(name)) {
    return fmt::format("{} are new", name);
  }
  if (!before.empty() && !after.empty() && is_of_build(name)) {
    return fmt::format("{} changed", name);
  }
  if (before.empty()) {
    return fmt::format("{} is new ({})", name, abbreviated(after));
  }
  if (after.empty()) {
    return fmt::format("{} is gone (was {})", name, abbreviated(before));
  }
  return fmt::format("{} changed ({} -> {})", name, abbreviated(before),
                     abbreviated(after));
}

}  // namespace

std::string list_inputs(const Inputs& inputs) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : inputs) {
    parts.push_back(fmt::format("{} ({})", name, abbreviated(value)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string describe_inputs(Inputs before, Inputs after) {
  if (before.empty()) {
    return "no install is recorded for " + list_inputs(after);
  }
  std::vector<std::string> parts;
  keep_comparable(before, after);
  Inputs all = before;
  all.insert(after.begin(), after.end());
  for (const auto& [name, unused] : all) {
    if (before[name] != after[name]) {
      parts.push_back(describe_input(name, before[name], after[name]));
    }
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace deployment
