// Tells a clone from another one at the same path, by a file in its .git that
// no other clone has.
#pragma once

#include <string>

#include "lib/base/directory.hpp"
#include "lib/base/user.hpp"

namespace deployment {

// Returns true when `checkout` has the file of `id`: one system call.
bool has_identifier(const Directory& checkout, const std::string& id);

// Writes the file of a new identifier as `user`, and returns the identifier;
// empty where .git is a file, as in a linked work tree.
std::string make_identifier(Directory& checkout,
                            const std::optional<User>& user);

}  // namespace deployment
