#include "lib/deploy/journal.hpp"

#include "lib/base/file.hpp"
#include "lib/model/paths.hpp"
#include "lib/model/record_text.hpp"

namespace deployment {

std::optional<Record> load_record(const std::filesystem::path& state_dir) {
  const auto text = Directory::open_protected(state_dir).read(record_name);
  if (!text) {
    return std::nullopt;
  }
  return parse_record(*text, (state_dir / record_name).string());
}

Journal::Journal(std::filesystem::path state_dir)
    : state_dir_(std::move(state_dir)),
      record_(load_record(state_dir_).value_or(Record{})) {}

void Journal::replace(Record next) {
  if (next == record_) {
    return;
  }
  Directory::create_protected(state_dir_).replace(record_name, to_text(next));
  record_ = std::move(next);
}

}  // namespace deployment
