// Laying out a commit aside, to build its environments at their final path but
// in private.
#pragma once

#include <string>
#include <vector>

#include "lib/base/log.hpp"
#include "lib/checkout/git.hpp"
#include "lib/environments/store.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Why nothing can be built aside here; empty: it can. `prototype` carries the
// checkout's folder and user.
std::string why_not_staged(CommandRunner& runner, Command prototype);

// Writes `commit` into the store's stage, with the local files that git
// does not track beside the manifests (.npmrc, .env) and copies of the
// node_modules that are in use. Returns the mounts that show it to a command
// at the checkout's own path, where git sees `commit` checked out and cannot
// write.
std::vector<Mount> lay_out(const std::string& commit,
                           const std::vector<Component>& components,
                           const Git& git, const Store& store,
                           CommandRunner& runner, const Command& prototype,
                           Log& log);

}  // namespace deployment
