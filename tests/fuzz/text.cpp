// Foreign text made harmless: for a terminal, the journal and the record.
#include "lib/base/text.hpp"

#include "lib/base/ini.hpp"
#include "lib/base/log.hpp"
#include "lib/model/label.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace deployment;

namespace {

std::string logged(std::string_view text) {
  char* buffer = nullptr;
  std::size_t size = 0;
  std::FILE* const stream = open_memstream(&buffer, &size);
  Log(stream, Log::Target::journal, false).write(Level::info, text);
  std::fclose(stream);
  const std::string written(buffer, size);
  std::free(buffer);
  return written;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = text_of(data, size);
  const std::string line = escaped(text);
  REQUIRE(is_harmless_line(line));
  REQUIRE(escaped(line) == line);
  const std::string lines = logged(text);
  for (const auto written : split(lines, '\n')) {
    REQUIRE(written.starts_with("<6>"));  // none forges another priority
    REQUIRE(is_harmless_line(written));
  }
  REQUIRE(ini_unescaped(ini_escaped(text)) == text);
  const Label label = parse_label(text);
  if (!label.inputs.empty()) {
    REQUIRE(parse_label(to_text(label)).inputs == label.inputs);
  }
  return 0;
}
