// Text that came from elsewhere, made fit to be looked at or split.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deployment {

// `text` with every byte that could move a terminal's cursor, forge a line of
// the journal or break UTF-8 written as \xNN: C0 and C1 controls, DEL, bytes
// that are no UTF-8, and the marks that reorder text (bidirectional controls).
// A tab becomes a blank.
std::string escaped(std::string_view text);

// The parts between `separator`s. A separator at the end closes the last part
// and does not open an empty one; empty text has no parts.
std::vector<std::string_view> split(std::string_view text, char separator);
std::vector<std::string_view> split(std::string&&, char) = delete;

// Takes the first of these parts, and its separator, off `text`, which is not
// empty. Text from elsewhere may have millions, of which split() makes a list.
std::string_view take_part(std::string_view& text, char separator);

// `text` without white space at both ends.
std::string_view trimmed(std::string_view text);

// The last lines of `text`, at most `lines` of them.
std::string_view tail(std::string_view text, std::size_t lines);

// "12 bytes", "64 KiB", "4 MiB": rounded down.
std::string describe_size(std::size_t bytes);

// The first twelve digits of a commit id or a hash, as people quote them.
std::string_view abbreviated(std::string_view hash);

// "once", "2 times" and so on.
std::string times(int count);

// "1 commit", "2 commits", "3 processes".
std::string counted(int count, std::string_view noun);

// Returns `word` as a shell takes it for one word: in quotes when it needs
// them.
std::string quoted(const std::string& word);

// Splits a command line into words as sh(1) does: blanks separate them, and
// quotes and backslashes keep together and as it is what they do there. Nothing
// is expanded. nullopt when a quote is not closed, a backslash is the end, or a
// character of a shell (| & ; < > ( )) stands outside of quotes, or one that it
// would replace ($ `) outside of single ones.
std::optional<std::vector<std::string>> split_words(std::string_view line);

// Returns a command for a person to paste: as root, it has to be run as `user`
// (runuser(1)); nullopt: as whoever runs this program.
std::string command_as(const std::optional<std::string>& user,
                       std::string_view command);

// Returns true when one of `parts` is in `text`.
bool contains_any(std::string_view text,
                  std::initializer_list<std::string_view> parts);

// Reads a decimal number that has digits only; nullopt for anything else, and
// for a number that an int cannot hold.
std::optional<int> parse_number(std::string_view text);

// True for letters, digits, - and _, of which - is not the first.
bool is_plain_name(std::string_view text);

// True for 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
bool is_object_id(std::string_view text);

}  // namespace deployment
