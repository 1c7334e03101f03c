#include "lib/base/ini.hpp"

#include <fmt/format.h>

#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <charconv>
#include <sstream>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace po = boost::program_options;

namespace {

IniEntry to_entry(const po::option& option) {
  const std::string& name = option.string_key;
  const std::size_t dot = name.find('.');
  const bool in_section = dot != std::string::npos;
  return {.section = in_section ? name.substr(0, dot) : "",
          .key = in_section ? name.substr(dot + 1) : name,
          .value = option.value.front()};
}

}  // namespace

std::vector<IniEntry> parse_ini(std::string_view text,
                                const std::string& source) {
  std::istringstream stream{std::string(text)};
  std::vector<IniEntry> entries;
  try {
    const po::options_description nothing_registered;
    for (const po::option& option :
         po::parse_config_file(stream, nothing_registered, true).options) {
      entries.push_back(to_entry(option));
    }
  } catch (const po::invalid_syntax& error) {
    // Its what() never ends for a line that holds "%invalid_line%".
    throw UsageError(
        fmt::format("{}: the line '{}' is neither 'key = value' nor [section] "
                    "nor # comment",
                    source, escaped(error.tokens())));
  }
  return entries;
}

std::string ini_escaped(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool at_end = i == 0 || i + 1 == value.size();
    if (c == '\\' || c == '#' || c == '\t' || (c == ' ' && at_end)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  // escaped() writes the remaining special bytes in the same form.
  return escaped(out);
}

std::string ini_unescaped(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    unsigned int byte = 0;
    if (value.starts_with("\\x") && value.size() >= 4 &&
        std::from_chars(value.data() + 2, value.data() + 4, byte, 16).ptr ==
            value.data() + 4) {
      out += static_cast<char>(byte);
      value.remove_prefix(4);
    } else {
      out += value.front();
      value.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace deployment
