#include "lib/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/replace.hpp>
#include <boost/locale/utf.hpp>
#include <charconv>

namespace deployment {
namespace utf = boost::locale::utf;

namespace {

bool reorders_text(utf::code_point code) {
  return code == 0x061C || (code >= 0x200E && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9');
}

bool is_control(utf::code_point code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

}  // namespace

std::string escaped(std::string_view text) {
  if (std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; })) {
    return std::string(text);  // nearly all text
  }
  std::string out;
  out.reserve(text.size());
  const char* const end = text.data() + text.size();
  for (const char* next = text.data(); next != end;) {
    const char* const start = next;
    const auto code = utf::utf_traits<char>::decode(next, end);
    const bool valid = utf::is_valid_codepoint(code);
    if (!valid) {
      next = start + 1;  // a byte that begins no character is taken alone
    }
    if (code == '\t') {  // harmless, and common
      out += ' ';
    } else if (valid && !is_control(code) && !reorders_text(code)) {
      out.append(start, next);
    } else {
      for (const char* byte = start; byte != next; ++byte) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(*byte));
      }
    }
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    parts.push_back(take_part(text, separator));
  }
  return parts;
}

std::string_view take_part(std::string_view& text, char separator) {
  const std::string_view part = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(white);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::string_view tail(std::string_view text, std::size_t lines) {
  text = trimmed(text);
  std::size_t start = text.size();
  for (; lines > 0 && start != 0; --lines) {
    const std::size_t newline = text.rfind('\n', start - 1);
    start = newline == std::string_view::npos ? 0 : newline;
  }
  return trimmed(text.substr(start));
}

std::string describe_size(std::size_t bytes) {
  return bytes >= 1 << 20   ? fmt::format("{} MiB", bytes >> 20)
         : bytes >= 1 << 10 ? fmt::format("{} KiB", bytes >> 10)
                            : fmt::format("{} bytes", bytes);
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

std::string quoted(const std::string& word) {
  constexpr std::string_view plain = "%+,-./:=@_^";
  const bool is_plain = std::ranges::all_of(word, [&](char c) {
    return is_letter_or_digit(c) || plain.find(c) != std::string_view::npos;
  });
  return is_plain && !word.empty()
             ? word
             : '\'' + boost::replace_all_copy(word, "'", "'\\''") + '\'';
}

std::optional<std::vector<std::string>> split_words(std::string_view line) {
  constexpr std::string_view escaped_in_quotes = "\"\\$`";
  std::vector<std::string> words;
  bool in_word = false;
  char quote = '\0';  // that is open
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\0' && (c == ' ' || c == '\t')) {
      in_word = false;
      continue;
    }
    if ((quote == '\0' && std::string_view("|&;<>()").find(c) != line.npos) ||
        (quote != '\'' && (c == '$' || c == '`'))) {
      return std::nullopt;
    }
    if (!in_word) {
      words.emplace_back();
      in_word = true;
    }
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'') {
      const std::string_view next = line.substr(i + 1, 1);
      if (next.empty()) {
        return std::nullopt;
      }
      if (quote == '\0' || escaped_in_quotes.find(next) != line.npos) {
        words.back() += next;
        ++i;
      } else {
        words.back() += c;
      }
    } else {
      words.back() += c;
    }
  }
  return quote == '\0' ? std::optional(words) : std::nullopt;
}

std::string command_as(const std::optional<std::string>& user,
                       std::string_view command) {
  return user ? fmt::format("runuser -u {} -- {}", *user, command)
              : std::string(command);
}

bool contains_any(std::string_view text,
                  std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  });
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
         std::ranges::all_of(text, [](char c) {
           return is_letter_or_digit(c) || c == '-' || c == '_';
         });
}

bool is_object_id(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace deployment
