// The part of Store that keeps empty environments.
#include "lib/base/error.hpp"
#include "lib/environments/store.hpp"

namespace deployment {
namespace fs = std::filesystem;

fs::path Store::empty(const Component& component) const {
  return root_ / empties / component.name;
}

fs::path Store::staged_empty(const Component& component) const {
  return stage() / empties / component.name;
}

bool Store::take_empty(const Component& component, const Inputs& inputs) {
  const ActingAs user(user_);
  const auto label = label_for(component, empty(component));
  return label && label->inputs == inputs &&
         checkout_->rename(empty(component), staged_empty(component));
}

void Store::keep_empty(const Component& component, const Inputs& inputs) {
  const fs::path made = staged_empty(component);
  if (!is_folder(made)) {
    return;
  }
  remove_as(user_, empty(component));
  require_removed(empty(component));
  const ActingAs user(user_);
  write_label(made, {.inputs = inputs, .folder = live(component)});
  checkout_->make_folders(empty(component).parent_path());
  if (!checkout_->rename(made, empty(component))) {
    throw_errno("keep " + made.string());
  }
}

}  // namespace deployment
