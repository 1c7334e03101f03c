#include "lib/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace deployment {
namespace {

// One character of UTF-8 at the start of a text; length 0: no valid one.
struct Character {
  std::uint32_t code = 0;
  std::size_t length = 0;
};

// Decodes by the table of RFC 3629: no overlong forms, no surrogates.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1};
  }
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
    return {};
  }
  std::uint32_t code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) {
      return {};
    }
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < smallest[length] || code > 0x10FFFF ||
      (code >= 0xD800 && code <= 0xDFFF)) {
    return {};
  }
  return {code, length};
}

bool reorders_text(std::uint32_t code) {
  return code == 0x061C || (code >= 0x200E && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

// Calls `take` with each character and its bytes; a byte that begins none is
// taken alone, with the length 0.
template <typename Take>
void for_each_character(std::string_view text, const Take& take) {
  while (!text.empty()) {
    const Character c = first_character(text);
    const std::size_t length = std::max<std::size_t>(c.length, 1);
    take(c, text.substr(0, length));
    text.remove_prefix(length);
  }
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_character(text, [&](Character c, std::string_view bytes) {
    if (bytes == "\t") {  // harmless, and common
      out += ' ';
      return;
    }
    if (c.length != 0 && !is_control(c.code) && !reorders_text(c.code)) {
      out += bytes;
      return;
    }
    for (const char byte : bytes) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  });
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      break;
    }
    text.remove_prefix(end + 1);
  }
  return parts;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(white);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::string_view tail(std::string_view text, std::size_t lines) {
  text = trimmed(text);
  std::size_t start = text.size();
  while (lines > 0 && start != 0) {
    const std::size_t newline = text.rfind('\n', start - 1);
    start = newline == std::string_view::npos ? 0 : newline;
    --lines;
  }
  return trimmed(text.substr(start));
}

std::string_view abbreviated(std::string_view hash) {
  return hash.substr(0, 12);
}

std::string times(int count) {
  return count == 1 ? "once" : std::to_string(count) + " times";
}

std::string counted(int count, std::string_view noun) {
  const std::string_view ending = noun.ends_with('s') ? "es" : "s";
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : ending);
}

std::string command_as(const std::optional<std::string>& user,
                       std::string_view command) {
  return user ? fmt::format("runuser -u {} -- {}", *user, command)
              : std::string(command);
}

std::optional<int> parse_number(std::string_view text) {
  int number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc() || end != last || text.starts_with('-')) {
    return std::nullopt;
  }
  return number;
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

bool is_object_id(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace deployment
