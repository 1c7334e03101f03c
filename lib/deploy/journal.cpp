#include "lib/deploy/journal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "lib/base/directory.hpp"
#include "lib/base/error.hpp"
#include "lib/model/paths.hpp"
#include "lib/model/record_text.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// Returns root's record as this user can read it, or an empty one.
Record record_of_root() {
  try {
    return Journal(state_dir_of_root).record();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

void refuse_beside_root(const fs::path& checkout) {
  if (geteuid() == 0) {
    return;
  }
  const Record record = record_of_root();
  std::error_code error;
  const bool is_of_another = !record.checkout.empty() &&
                             !fs::equivalent(record.checkout, checkout, error);
  if (record == Record{} || is_of_another) {
    return;
  }
  throw Error(
      fmt::format("root deploys {}: its record is {}",
                  record.checkout.empty() ? "on this host" : checkout.string(),
                  (fs::path(state_dir_of_root) / record_name).string()),
      "run it as root: sudo deployment-update, with the same options");
}

Journal::Journal(std::filesystem::path state_dir)
    : state_dir_(std::move(state_dir)) {
  if (const auto text =
          Directory::open_protected(state_dir_).read(record_name)) {
    record_ = parse_record(*text, (state_dir_ / record_name).string());
  }
}

void Journal::replace(Record next) {
  if (next == record_) {
    return;
  }
  Directory::create_protected(state_dir_).replace(record_name, to_text(next));
  record_ = std::move(next);
}

}  // namespace deployment
