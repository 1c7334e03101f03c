// The INI dialect of Boost.Program_options, for the configuration and the
// record: `key = value` lines, [section] lines, and # to the end of a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace deployment {

struct IniEntry {
  std::string section;  // empty before the first [section]
  std::string key;
  std::string value;  // without white space at both ends
};

// The entries of `text` in order, repeated ones too. Throws UsageError, one
// line that begins with `source`, for a line of no such form.
std::vector<IniEntry> parse_ini(std::string_view text,
                                const std::string& source);

// `value` so that parse_ini() and ini_unescaped() give it back whatever it
// holds.
std::string ini_escaped(std::string_view value);
std::string ini_unescaped(std::string_view value);

}  // namespace deployment
