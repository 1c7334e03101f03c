#include "lib/deploy/other_records.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/checkout/identifier.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// Returns the record as this user can read it, or an empty one.
Record record_in(const fs::path& folder) {
  touch_watchdog();
  try {
    return Journal(folder).record();
  } catch (const Error&) {
    return {};
  }
}

// Returns the folders where root's records are: the default one, and one for
// each instance.
std::vector<fs::path> folders_of_root() {
  std::vector<fs::path> folders = {state_dir_of_root};
  std::error_code error;
  fs::directory_iterator entry(state_dir_of_root, error);
  for (; !error && entry != fs::end(entry); entry.increment(error)) {
    std::error_code unknown;
    if (entry->is_directory(unknown)) {
      folders.push_back(entry->path());
    }
  }
  return folders;
}

bool belongs_to_root(const fs::path& file) {
  struct stat status {};
  return stat(file.c_str(), &status) == 0 && status.st_uid == 0;
}

bool is_same(const fs::path& path, const fs::path& other) {
  std::error_code error;
  return path == other || fs::equivalent(path, other, error);
}

}  // namespace

void refuse_beside_root(const Config& config) {
  if (geteuid() == 0) {
    return;
  }
  const fs::path& checkout = config.repo_dir;
  std::vector<fs::path> folders = folders_of_root();
  if (belongs_to_root(*config.state_dir / record_name)) {
    folders.push_back(*config.state_dir);
  }
  for (const fs::path& folder : folders) {
    const Record record = record_in(folder);
    const bool is_of_it =
        record.checkout.empty()
            ? record != Record{} && folder == state_dir_of_root
            : is_same(record.checkout, checkout);
    if (is_of_it) {
      throw Error(
          fmt::format(
              "root deploys {}: its record is {}",
              record.checkout.empty() ? "on this host" : checkout.string(),
              (folder / record_name).string()),
          "run it as root: sudo deployment-update, with the same options");
    }
  }
}

void refuse_other_record(const Host& host) {
  const fs::path& own = *host.config.state_dir;
  const fs::path& checkout = host.config.repo_dir;
  std::vector<fs::path> folders = folders_of_root();
  for (const fs::path& folder : record_folders(*host.checkout)) {
    if (folder.is_absolute()) {
      folders.push_back(folder);
    }
  }
  for (const fs::path& folder : folders) {
    const Record record = is_same(folder, own) ? Record{} : record_in(folder);
    if (record.checkout.empty() || !is_same(record.checkout, checkout)) {
      continue;
    }
    const std::string other = (folder / record_name).string();
    throw Error(
        fmt::format("the checkout {} has the record {}, and {} is to be "
                    "another one; nothing was changed",
                    checkout.string(), other, (own / record_name).string()),
        fmt::format("deploy it by one configuration only; to do so by this "
                    "one, stop the timer and the service of the other, then "
                    "take over its record: mkdir -p {0} && mv {1} {0}",
                    quoted(own), quoted(other)));
  }
}

}  // namespace deployment
