// Finds out to whom the checkout belongs.
#pragma once

#include "lib/base/user.hpp"
#include "lib/model/config.hpp"

namespace deployment {

// Returns the user that git, npm, python3 and pip run as: config.run_as, or
// else the owner of the checkout; nullopt when that is the user of this
// process. Only root can run them as somebody else; for anybody else the answer
// is nullopt. Throws Error when there is no such user.
std::optional<User> checkout_user(const Config& config);

// Finds a file below `folder` of `checkout` that does not belong to `uid`: an
// earlier run as another user left it. Leaves out the environments that are
// kept, since services leave files of their own there.
std::optional<std::filesystem::path> find_foreign_file(
    const std::filesystem::path& checkout, const std::filesystem::path& folder,
    uid_t uid);

}  // namespace deployment
