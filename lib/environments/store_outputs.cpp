// The part of Store that looks what an exchange would do to outputs.
#include <fmt/format.h>

#include "lib/environments/outputs.hpp"
#include "lib/environments/store.hpp"

namespace deployment {
namespace fs = std::filesystem;

std::optional<std::string> Store::why_not_exchanged(
    const Component& component, const fs::path& kept) const {
  const ActingAs user(user_);
  Outputs all = outputs_of(live(component));
  all.merge(outputs_of(kept));
  for (const auto& [path, unused] : all) {
    if (const auto why = why_immovable(*checkout_, path)) {
      return fmt::format("{} cannot be moved: {}", path, *why);
    }
  }
  return std::nullopt;
}

std::vector<std::string> Store::displaced_by(const Component& component,
                                             const fs::path& kept) const {
  const ActingAs user(user_);
  const Held held(*checkout_, outputs_folder(kept));
  const Outputs live_outputs = outputs_of(live(component));
  std::vector<std::string> displaced;
  for (const auto& [path, output] : outputs_of(kept)) {
    const auto own = live_outputs.find(path);
    if (checkout_->has(path) && !held.is_live(path, output) &&
        (own == live_outputs.end() || !held.is_live(path, own->second) ||
         identity_at(*checkout_, path) != own->second.identity)) {
      displaced.push_back(path);
    }
  }
  return displaced;
}

std::vector<std::string> Store::changed_ones_that_leave(
    const Component& component, const fs::path& kept) const {
  const ActingAs user(user_);
  const Outputs kept_outputs = outputs_of(kept);
  std::vector<std::string> left;
  for (const auto& [path, output] : outputs_of(live(component))) {
    const auto found = identity_at(*checkout_, path);
    if (!kept_outputs.contains(path) && found &&
        is_same_thing(*found, output.identity) && *found != output.identity) {
      left.push_back(path);
    }
  }
  return left;
}

std::optional<std::string> Store::unfinished_in_place_of(
    const Component& component, const fs::path& kept) const {
  const ActingAs user(user_);
  Outputs moved = outputs_of(live(component));
  moved.merge(outputs_of(kept));
  for (const auto& [path, unused] : moved) {
    auto unfinished = unfinished_beside(*checkout_, path);
    if (unfinished && !moved.contains(*unfinished)) {
      return unfinished;
    }
  }
  return std::nullopt;
}

}  // namespace deployment
