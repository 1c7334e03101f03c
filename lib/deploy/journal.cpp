#include "lib/deploy/journal.hpp"

#include "lib/base/directory.hpp"
#include "lib/base/error.hpp"
#include "lib/model/paths.hpp"
#include "lib/model/record_text.hpp"

namespace deployment {
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
