// Names of the files, folders and refs that belong to this program.
#pragma once

#include <filesystem>
#include <string>

namespace deployment {

// The record, in the state directory.
constexpr const char* record_name = "record";

// The history, beside it: is_instance_name() refuses record.ANYTHING, since an
// instance's folder may be beside it, too.
constexpr const char* history_name = "record.history";

// The hold, beside the record. No instance, whose folder may be there too, has
// a name that begins like this.
constexpr const char* hold_name = "record.hold";

// Says, beside the record, what was told while that could not be opened.
constexpr const char* told_name = "record.told";

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
