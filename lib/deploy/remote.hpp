// Asks the remote, and says when it is away or back.
#pragma once

#include <optional>

#include "lib/deploy/host.hpp"
#include "lib/model/record.hpp"

namespace deployment {

// Returns nullopt when the remote is away, which is logged, as is its return.
// Changes nothing. Throws Error for everything else that git says.
std::optional<Heads> ask_remote(const Host& host, const Record& record);

}  // namespace deployment
