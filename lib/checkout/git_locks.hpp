// Finds the lock files that a killed git leaves behind.
#pragma once

#include "lib/base/directory.hpp"
#include "lib/checkout/state.hpp"
#include "lib/model/config.hpp"

namespace deployment {

// Returns the locks of the checkout that would stop a fetch, a checkout, a
// fast-forward or a reset of its branch. A git process of a lock's owner whose
// working directory cannot be seen counts as one that works in this checkout.
std::vector<GitLock> find_git_locks(const Config& config,
                                    const Directory& checkout);

}  // namespace deployment
