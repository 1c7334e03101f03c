// Who the checkout belongs to.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/user.hpp"
#include "lib/model/config.hpp"

namespace deployment {

// Who git, npm, python3 and pip run as: config.run_as, else the owner of the
// checkout; nullopt when that is who this process is. Only root can run them
// as somebody else: anybody else runs them as himself. Throws Error.
std::optional<User> checkout_user(const Config& config);

// Files below `folder` that do not belong to `uid`, at most `most` of them:
// what an earlier run as another user left. Kept environments do not count.
std::vector<std::filesystem::path> foreign_files(
    const std::filesystem::path& folder, uid_t uid, std::size_t most);

// The one command that gives the whole checkout back to `user`.
std::string repair_command(const Config& config, const User& user);

}  // namespace deployment
