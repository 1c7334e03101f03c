// Looks for a folder among the workspaces of a package.json.
#include "lib/environments/workspaces.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace deployment;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = text_of(data, size);
  REQUIRE(has_workspace("{}", text) == false);
  has_workspace(text, "apps/web");
  return 0;
}
