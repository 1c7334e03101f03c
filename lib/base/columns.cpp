#include "lib/base/columns.hpp"

#include <boost/locale/utf.hpp>

#include "lib/base/text.hpp"

namespace deployment {
namespace utf = boost::locale::utf;

namespace {

// True for East Asian wide and full-width characters, and for pictures
// (Unicode Standard Annex 11).
bool is_wide(utf::code_point code) {
  return (code >= 0x1100 && code <= 0x115F) ||
         (code >= 0x2E80 && code <= 0xA4CF) ||
         (code >= 0xAC00 && code <= 0xD7A3) ||
         (code >= 0xF900 && code <= 0xFAFF) ||
         (code >= 0xFE30 && code <= 0xFE6F) ||
         (code >= 0xFF00 && code <= 0xFF60) ||
         (code >= 0xFFE0 && code <= 0xFFE6) ||
         (code >= 0x1F300 && code <= 0x1FAFF) ||
         (code >= 0x20000 && code <= 0x3FFFD);
}

// Takes the first character off `text`, which is not empty, and returns the
// columns that it needs.
std::size_t take_character(std::string_view& text) {
  const char* next = text.data();
  const auto code =
      utf::utf_traits<char>::decode(next, text.data() + text.size());
  const bool is_valid = utf::is_valid_codepoint(code);
  text.remove_prefix(is_valid ? static_cast<std::size_t>(next - text.data())
                              : 1);
  return is_valid && is_wide(code) ? 2 : 1;
}

}  // namespace

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    width += take_character(text);
  }
  return width;
}

std::string fitted(std::string_view text, std::size_t width) {
  std::string whole = escaped(text);
  if (width_of(whole) <= width) {
    return whole;
  }
  std::string_view rest = whole;
  std::size_t end = 0;
  std::size_t used = 1;  // by the ellipsis
  while (!rest.empty() && (used += take_character(rest)) <= width) {
    end = whole.size() - rest.size();
  }
  return whole.substr(0, end) + "…";
}

std::string wrapped(std::string_view first, std::string_view text,
                    std::size_t indent) {
  const std::string whole = escaped(text);
  std::string lines(first);
  std::size_t used = width_of(first);
  for (const std::string_view word : split(whole, ' ')) {
    const bool begins = used <= indent;
    if (begins) {
      lines.append(indent - used, ' ');
      used = indent;
    } else if (used + 1 + width_of(word) > columns) {
      lines += '\n' + std::string(indent, ' ');
      used = indent;
    } else {
      lines += ' ';
      ++used;
    }
    lines += word;
    used += width_of(word);
  }
  return lines + '\n';
}

}  // namespace deployment
