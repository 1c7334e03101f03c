// Knows the instances of this host by their configurations.
#pragma once

#include <optional>
#include <string>

#include "lib/base/error.hpp"

namespace deployment {

// Returns the error for the `value` of `option`, by which no instance is named.
UsageError no_instance_name(const std::string& option,
                            const std::string& value);

// Finds the instance whose configuration `file` is; nullopt: it is that of
// none. Throws UsageError for a file among those of instances that is no such.
std::optional<std::string> instance_of(const std::string& file);

}  // namespace deployment
