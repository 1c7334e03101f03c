#include "lib/model/commit_id.hpp"

#include "lib/base/text.hpp"

namespace deployment {

std::optional<CommitId> CommitId::parse(std::string_view text) {
  return is_object_id(text) ? std::optional(CommitId(text)) : std::nullopt;
}

std::string_view CommitId::abbreviated() const {
  return deployment::abbreviated(text_);
}

}  // namespace deployment
