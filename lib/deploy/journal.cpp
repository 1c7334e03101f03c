#include "lib/deploy/journal.hpp"

#include "lib/base/file.hpp"
#include "lib/model/paths.hpp"
#include "lib/model/record_text.hpp"

namespace deployment {

Journal::Journal(std::filesystem::path state_dir)
    : state_dir_(std::move(state_dir)) {
  const std::optional<Directory> directory = Directory::open(state_dir_);
  const std::optional<std::string> text =
      directory ? directory->read(record_name) : std::nullopt;
  if (text) {
    record_ = parse_record(*text, (state_dir_ / record_name).string());
  }
}

void Journal::replace(Record next) {
  if (next == record_) {
    return;
  }
  Directory::create(state_dir_).replace(record_name, to_text(next));
  record_ = std::move(next);
}

}  // namespace deployment
