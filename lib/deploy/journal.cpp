#include "lib/deploy/journal.hpp"

#include "lib/base/file.hpp"
#include "lib/model/paths.hpp"
#include "lib/model/record_text.hpp"

namespace deployment {

Record load_record(const std::filesystem::path& state_dir) {
  const std::optional<Directory> directory = Directory::open(state_dir);
  const std::optional<std::string> text =
      directory ? directory->read(record_name) : std::nullopt;
  return text ? parse_record(*text, (state_dir / record_name).string())
              : Record{};
}

Journal::Journal(std::filesystem::path state_dir)
    : state_dir_(std::move(state_dir)), record_(load_record(state_dir_)) {}

void Journal::replace(Record next) {
  if (next == record_) {
    return;
  }
  Directory::create(state_dir_).replace(record_name, to_text(next));
  record_ = std::move(next);
}

}  // namespace deployment
