// Tells a clone from another one at the same path, by a file in its .git that
// no other clone has.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/directory.hpp"
#include "lib/base/user.hpp"

namespace deployment {

// Returns true when `checkout` has the file of `id`: one system call.
bool has_identifier(const Directory& checkout, const std::string& id);

// Writes the file of a new identifier as `user`, and returns the identifier;
// empty where .git is a file, as in a linked work tree. The file tells
// `record_folder`, where the record is that knows the clone by it.
std::string make_identifier(Directory& checkout,
                            const std::optional<User>& user,
                            const std::filesystem::path& record_folder);

// Lets the file of the identifier `id` tell another folder of the record than
// it does, when it does.
void tell_record_folder(Directory& checkout, const std::optional<User>& user,
                        const std::string& id,
                        const std::filesystem::path& record_folder);

// Returns the folders that files of identifiers tell. Their records may be gone
// or know the clone by another identifier, and the owner of the checkout may
// have written anything there.
std::vector<std::filesystem::path> record_folders(const Directory& checkout);

}  // namespace deployment
