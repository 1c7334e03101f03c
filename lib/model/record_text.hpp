// The text form of the record.
#pragma once

#include "lib/model/record.hpp"

namespace deployment {

// Writes the record as text that a person can read.
std::string to_text(const Record& record);

// Reads such text. Throws Error, which names `source` and what to do, when it
// is not a record.
Record parse_record(std::string_view text, const std::string& source);

}  // namespace deployment
