// The record and the history: what was read is what is written, and nothing
// else is taken.
#include "lib/model/history.hpp"
#include "lib/model/record_text.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace deployment;

void read_history(std::string_view text) {
  History history;
  if (accepts<Error>([&] { history = parse_history(text, "history"); })) {
    REQUIRE(parse_history(to_text(history), "history") == history);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  read_history(text_of(data, size));
  Record record;
  const bool accepted = accepts<Error>(
      [&] { record = parse_record(text_of(data, size), "record"); });
  if (!accepted) {
    return 0;
  }
  const std::string text = to_text(record);
  REQUIRE(parse_record(text, "record") == record);
  REQUIRE(record.history.size() <= 10);
  for (const auto line : split(text, '\n')) {
    REQUIRE(is_harmless_line(line));
  }
  return 0;
}
