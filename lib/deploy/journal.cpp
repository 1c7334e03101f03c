#include "lib/deploy/journal.hpp"

#include "lib/base/directory.hpp"
#include "lib/base/error.hpp"
#include "lib/model/record_text.hpp"

namespace deployment {
Journal::Journal(std::filesystem::path state_dir, std::string name)
    : state_dir_(std::move(state_dir)), name_(std::move(name)) {
  if (const auto text = Directory::open_protected(state_dir_).read(name_)) {
    record_ = parse_record(*text, (state_dir_ / name_).string());
  }
}

void Journal::replace(Record next) {
  if (next == record_) {
    return;
  }
  Directory::create_protected(state_dir_).replace(name_, to_text(next));
  record_ = std::move(next);
  if (on_change_) {
    on_change_(record_);
  }
}

}  // namespace deployment
