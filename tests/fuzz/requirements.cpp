// Finds the files that a requirements file includes.
#include "lib/environments/requirements.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace deployment;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = text_of(data, size);
  for (const std::string& file : included_files(text)) {
    REQUIRE(!file.empty());
    REQUIRE(file.size() <= size);
    REQUIRE(file.find('\n') == std::string::npos);
    REQUIRE(file.find("://") == std::string::npos);
  }
  return 0;
}
