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
// `has_submodules`, and the files beside the manifests of `components` that git
// does not track (.npmrc, .env). Returns the mounts that show the stage to a
// command at the path of the checkout, where git sees `commit` checked out and
// cannot write.
std::vector<Mount> lay_out(const CommitId& commit, bool has_submodules,
                           const std::vector<Component>& components, Git& git,
                           Store& store, CommandRunner& runner,
                           const Context& context);

// Copies the node_modules in use into the stage, to spare a download. A copy
// that fails is no failure: npm then downloads.
void copy_node_modules(const Component& component, const Store& store,
                       CommandRunner& runner, const Context& context, Log& log);

// Returns the mount that shows `environment`, that of the component in use or a
// kept one, at its place in the stage, where no command can write to it. Throws
// Error when it is a link.
Mount show_read_only(const Component& component,
                     const std::filesystem::path& environment, Store& store);

}  // namespace deployment
