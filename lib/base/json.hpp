// Writes JSON (RFC 8259).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace deployment {

using Json = nlohmann::ordered_json;

// `json` as one line of ASCII, so that nothing in it can move a terminal's
// cursor; bytes that are no UTF-8 become U+FFFD.
std::string json_line(const Json& json);

}  // namespace deployment
