// Opens the checkout, once, and finds out to whom it belongs.
#pragma once

#include <memory>

#include "lib/base/directory.hpp"
#include "lib/model/config.hpp"

namespace deployment {

// Opens the checkout. All that a run does there it does below this folder,
// whatever its path comes to mean meanwhile. Throws Error when it is not there,
// is a symbolic link, or has no .git.
std::shared_ptr<Directory> open_checkout(const std::filesystem::path& path);

// Returns the user that git, npm, python3 and pip run as: config.run_as, or
// else the owner of the checkout; nullopt when that is the user of this
// process. Only root can run them as somebody else; for anybody else the answer
// is nullopt. Throws Error when there is no such user, or when others than root
// and the owner can change which folder the checkout is or what its .git is;
// UsageError when the owner would get rights that he does not have.
std::optional<User> checkout_user(const Config& config,
                                  const Directory& checkout);

// Finds a file below `folder` of `checkout` that does not belong to `uid`: an
// earlier run as another user left it. Leaves out the environments that are
// kept, since services leave files of their own there.
std::optional<std::filesystem::path> find_foreign_file(
    const Directory& checkout, const std::filesystem::path& folder, uid_t uid);

}  // namespace deployment
