// Lays a commit out aside, so that its environments are built under their final
// path but in private.
#pragma once

#include "lib/base/log.hpp"
#include "lib/checkout/git.hpp"
#include "lib/environments/store.hpp"

namespace deployment {

// Says why nothing can be built aside here; nullopt when it can. `context` has
// the checkout as its directory, and its user.
std::optional<std::string> why_not_staged(CommandRunner& runner,
                                          Context context);

// Writes `commit` into the stage of `store`, with its submodules when it
// `has_submodules`, the files beside the manifests that git does not track
// (.npmrc, .env) and copies of the node_modules in use. Returns the mounts that
// show the stage to a command at the path of the checkout, where git sees
// `commit` checked out and cannot write.
std::vector<Mount> lay_out(const CommitId& commit, bool has_submodules,
                           const std::vector<Component>& components, Git& git,
                           Store& store, CommandRunner& runner,
                           const Context& context, Log& log);

}  // namespace deployment
