// The part of Store that keeps empty environments.
#include "lib/base/error.hpp"
#include "lib/environments/store.hpp"

namespace deployment {
namespace fs = std::filesystem;

fs::path Store::empties() const {
  return root_ / "empty";
}

fs::path Store::staged_empty(const Component& component) const {
  return stage() / "empty" / component.name;
}

bool Store::take_empty(const Component& component, const Inputs& inputs) {
  const ActingAs user(user_);
  const fs::path kept = empties() / component.name;
  const auto label = label_for(component, kept);
  return label && label->inputs == inputs &&
         checkout_->rename(kept, staged_empty(component));
}

void Store::keep_empty(const Component& component, const Inputs& inputs) {
  const ActingAs user(user_);
  const fs::path made = staged_empty(component);
  if (!is_folder(made)) {
    return;
  }
  const fs::path kept = empties() / component.name;
  const fs::path before = stage() / "before" / component.name;
  write_label(made, {.inputs = inputs, .folder = live(component)});
  checkout_->make_folders(empties());
  checkout_->make_folders(before.parent_path());
  if (has(kept) && !checkout_->rename(kept, before)) {
    throw_errno("take away " + kept.string());
  }
  if (!checkout_->rename(made, kept)) {
    throw_errno("keep " + made.string());
  }
}

void Store::remove_empties_but(const std::set<std::string>& components) {
  std::vector<std::string> names;
  {
    const ActingAs user(user_);
    names = checkout_->folder(empties()).names();
  }
  for (const std::string& name : names) {
    if (!components.contains(name)) {
      remove_from_stage(empties() / name);
    }
  }
}

}  // namespace deployment
