// Parses the state of a unit as systemctl shows it: all of it, or it is
// refused.
#include "lib/services/systemd.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace deployment;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = text_of(data, size);
  UnitState state;
  if (accepts<Error>([&] { state = parse_unit_state(text, "a.service"); })) {
    for (const char* key : {"ActiveState=", "SubState=", "Result=",
                            "InvocationID=", "MainPID=", "NRestarts="}) {
      REQUIRE(text.find(key) != std::string_view::npos);
    }
    REQUIRE(text.find(state.active_state) != std::string_view::npos);
    for (const std::string& file : state.files) {
      REQUIRE(!file.empty());
      REQUIRE(text.find(file) != std::string_view::npos);
    }
  }
  return 0;
}
