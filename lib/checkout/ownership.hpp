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

// Lists files below `folder` of `checkout` that do not belong to `uid`, at most
// `most` of them: an earlier run as another user left them. Leaves out the
// environments that are kept.
std::vector<std::filesystem::path> foreign_files(
    const std::filesystem::path& checkout, const std::filesystem::path& folder,
    uid_t uid, std::size_t most);

// Returns the one command that gives the whole checkout back to `user`.
std::string repair_command(const Config& config, const User& user);

}  // namespace deployment
