// Names of the files, folders and refs that belong to this program.
#pragma once

#include <filesystem>
#include <string>

namespace deployment {

// The record, in the state directory.
constexpr const char* record_name = "record";

// The record of an instance is in the folder of its name in it.
constexpr const char* state_dir_of_root = "/var/lib/deployment-update";

// The configuration of each instance, NAME.conf.
constexpr const char* instance_folder = "/etc/deployment-update";

// Below .git, where git status does not look and on the file system of the
// checkout, as exchanging folders needs it.
inline std::filesystem::path own_folder(const std::filesystem::path& checkout) {
  return checkout / ".git" / "deployment-update";
}

// The lock of the checkout's owner, in own_folder() or, where .git is a file,
// in the folder of that name in the folder that it names.
constexpr const char* lock_name = "lock";

// The file in own_folder() by which the record knows this clone again.
inline std::string identifier_name(const std::string& id) {
  return "checkout-" + id;
}

// The locks of root's runs, gone at the next boot.
constexpr const char* lock_folder = "/run/deployment-update";

// The refs that keep commits reachable, as a folder of the repository.
constexpr const char* own_refs = "refs/deployment-update";

}  // namespace deployment
