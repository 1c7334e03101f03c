#include "lib/plan/standing.hpp"

#include "lib/checkout/identifier.hpp"

namespace deployment {

Standing look_at_standing(const Config& config, const Record& record,
                          const Directory& checkout, const Store& store) {
  Standing standing;
  standing.is_another_clone = !record.checkout_id.empty() &&
                              !has_identifier(checkout, record.checkout_id);
  for (const Component& component : config.components) {
    if (is_environment_gone(component, record, store)) {
      standing.gone.insert(component.name);
    }
  }
  return standing;
}

bool is_environment_gone(const Component& component, const Record& record,
                         const Store& store) {
  if (!record.deployed) {
    return !store.has(store.live(component)) ||
           !store.has_interpreter(component);
  }
  const auto known = record.components.find(component.name);
  if (known == record.components.end() || known->second.inputs.empty()) {
    return false;
  }
  if (!store.has_interpreter(component)) {
    return true;
  }
  if (store.has_live_label(component)) {
    return false;
  }
  return !known->second.configured.empty() || !store.has(store.live(component));
}

}  // namespace deployment
