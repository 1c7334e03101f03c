// Shared by the fuzz targets.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"

// A property that must hold for every input; libFuzzer keeps the input that
// breaks it.
#define REQUIRE(truth)                                                 \
  do {                                                                 \
    if (!(truth)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #truth); \
      std::abort();                                                    \
    }                                                                  \
  } while (false)

namespace deployment {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Calls `parse`, which may refuse its text by the one type for it; anything
// else that is thrown ends the process. False when it refused.
template <typename Refusal, typename Parse>
bool accepts(const Parse& parse) {
  try {
    parse();
    return true;
  } catch (const Refusal& refusal) {
    REQUIRE(*refusal.what() != '\0');
    return false;
  }
}

// One line that can go to a terminal or to the journal.
inline bool is_harmless_line(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      return false;
    }
  }
  return escaped(text) == text;
}

}  // namespace deployment

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size);
