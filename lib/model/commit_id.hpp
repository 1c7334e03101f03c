// The id of a commit.
#pragma once

#include <fmt/format.h>

#include <compare>

#include "lib/base/text.hpp"

namespace deployment {

// A full object id: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
class CommitId {
 public:
  // Returns nullopt for any other text.
  static std::optional<CommitId> parse(std::string_view text) {
    return is_object_id(text) ? std::optional(CommitId(text)) : std::nullopt;
  }

  const std::string& str() const { return text_; }

  // The first twelve digits, for people.
  std::string_view abbreviated() const {
    return deployment::abbreviated(text_);
  }

  // NOLINTNEXTLINE(modernize-use-nullptr): that is what std::set compares with
  auto operator<=>(const CommitId&) const = default;

 private:
  explicit CommitId(std::string_view text) : text_(text) {}

  std::string text_;
};

}  // namespace deployment

template <>
struct fmt::formatter<deployment::CommitId> : formatter<std::string_view> {
  template <typename Context>
  auto format(const deployment::CommitId& id, Context& context) const {
    return formatter<std::string_view>::format(id.str(), context);
  }
};
