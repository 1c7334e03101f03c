// Finds the files that a requirements file includes.
#include "lib/environments/requirements.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace deployment;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = text_of(data, size);
  for_each_included(text, [&](std::string_view file) {
    REQUIRE(!file.empty());
    REQUIRE(file.size() <= size);
    REQUIRE(file.find('\n') == std::string_view::npos);
    REQUIRE(file.find("://") == std::string_view::npos);
  });
  return 0;
}
