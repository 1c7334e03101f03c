// Asks services whether they are well, in the ways that are configured.
#pragma once

#include "lib/model/config.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Makes the health checks of a component once: its address is asked by curl(1),
// its command runs in its folder, both with the rights of `context`, whose
// directory is the checkout, and within its timeout. Returns one line about
// what went wrong, or nullopt. Throws Error when a check cannot be made at all.
std::optional<std::string> ask_health(CommandRunner& runner,
                                      const Context& context,
                                      const Component& component);

// Throws Error when the health check of one of `components` could not be made,
// since there is no curl.
void require_health_checks(CommandRunner& runner, const Context& context,
                           const std::vector<Component>& components);

}  // namespace deployment
