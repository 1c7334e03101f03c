#include "lib/base/text.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::string_view_literals;
using Parts = std::vector<std::string_view>;

TEST_CASE("ordinary text in any script is left as it is") {
  for (const char* text : {"", "plain", "a\\b", "täst", "日本語", "emoji 🙂",
                           "U+FFFD \xef\xbf\xbd"}) {
    CHECK(escaped(text) == text);
  }
}

TEST_CASE("what moves a cursor or forges a line is written as bytes") {
  struct Case {
    std::string_view text;
    const char* expected;
  };
  const Case cases[] = {
      {"\x1b[2J"sv, "\\x1b[2J"},              // ESC
      {"a\nb"sv, "a\\x0ab"},                  // newline
      {"a\rb\tc"sv, "a\\x0db c"},             // other C0
      {"\0"sv, "\\x00"},                      // NUL
      {"\x7f"sv, "\\x7f"},                    // DEL
      {"\xc2\x9b"sv, "\\xc2\\x9b"},           // C1: CSI
      {"\xc2\x85"sv, "\\xc2\\x85"},           // C1: NEL
      {"\xe2\x80\xae"sv, "\\xe2\\x80\\xae"},  // U+202E, right to left
      {"\xe2\x81\xa6"sv, "\\xe2\\x81\\xa6"},  // U+2066, isolate
      {"\xe2\x80\xa8"sv, "\\xe2\\x80\\xa8"},  // U+2028, line separator
      {"\xd8\x9c"sv, "\\xd8\\x9c"},           // U+061C, Arabic letter mark
  };
  for (const Case& c : cases) {
    CHECK(escaped(c.text) == c.expected);
  }
}

TEST_CASE("bytes that are no UTF-8 are written one by one") {
  struct Case {
    std::string_view text;
    const char* expected;
  };
  const Case cases[] = {
      {"\xff", "\\xff"},                             // never in UTF-8
      {"\x80", "\\x80"},                             // no lead byte
      {"\xc3", "\\xc3"},                             // cut short
      {"\xe2\x82x", "\\xe2\\x82x"},                  // cut short, then text
      {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong '/'
      {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},           // overlong '/'
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // above U+10FFFF
      {"\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
  };
  for (const Case& c : cases) {
    CHECK(escaped(c.text) == c.expected);
  }
}

TEST_CASE("a separator at the end opens no part") {
  CHECK(split(""sv, '\n').empty());
  CHECK(split("a"sv, '\n') == Parts{"a"});
  CHECK(split("a\n"sv, '\n') == Parts{"a"});
  CHECK(split("a\n\nb\n"sv, '\n') == Parts{"a", "", "b"});
  CHECK(split("\n"sv, '\n') == Parts{""});
  std::string_view text = "a\n\nb";
  CHECK(take_part(text, '\n') == "a");
  CHECK(take_part(text, '\n').empty());
  CHECK(take_part(text, '\n') == "b");
  CHECK(text.empty());
}

TEST_CASE("sizes are told in the greatest unit that they fill") {
  CHECK(describe_size(0) == "0 bytes");
  CHECK(describe_size(1023) == "1023 bytes");
  CHECK(describe_size(64 << 10) == "64 KiB");
  CHECK(describe_size((4 << 20) - 1) == "3 MiB");
}

TEST_CASE("white space at both ends is trimmed") {
  CHECK(trimmed("").empty());
  CHECK(trimmed(" \t\r\n").empty());
  CHECK(trimmed("\n a b\t") == "a b");
}

TEST_CASE("a tail is the last lines without blanks around them") {
  CHECK(tail("", 3).empty());
  CHECK(tail("a\nb\nc\n", 2) == "b\nc");
  CHECK(tail("a\nb\nc\n", 9) == "a\nb\nc");
  CHECK(tail("a\nb", 0).empty());
  CHECK(tail("\n\na\n\n", 1) == "a");
}

TEST_CASE("an object id has 40 or 64 lower-case hexadecimal digits") {
  CHECK(is_object_id(std::string(40, 'a')));
  CHECK(is_object_id(std::string(64, '0')));
  for (const std::string& text :
       {std::string(), std::string(39, 'a'), std::string(41, 'a'),
        std::string(40, 'A'), std::string(40, 'g'), std::string(63, '0')}) {
    CHECK_FALSE(is_object_id(text));
  }
  CHECK(abbreviated(id('a')) == "aaaaaaaaaaaa");
  CHECK(abbreviated("ab") == "ab");
}

TEST_CASE("a count agrees with its noun") {
  CHECK(counted(0, "commit") == "0 commits");
  CHECK(counted(1, "commit") == "1 commit");
  CHECK(counted(2, "commit") == "2 commits");
  CHECK(counted(0, "process") == "0 processes");
  CHECK(counted(1, "process") == "1 process");
  CHECK(counted(2, "process") == "2 processes");
}

TEST_CASE("one time is once") {
  CHECK(times(0) == "0 times");
  CHECK(times(1) == "once");
  CHECK(times(2) == "2 times");
  CHECK(times(11) == "11 times");
}

TEST_CASE("one part of several is enough to be found") {
  CHECK(contains_any("no such host", {"denied", "such"}));
  CHECK(contains_any("no such host", {"no ", "denied"}));
  CHECK(contains_any("no such host", {"host"}));
  CHECK_FALSE(contains_any("no such host", {"No", "hosts", "nosuch"}));
  CHECK_FALSE(contains_any("", {"a"}));
  CHECK_FALSE(contains_any("no such host", {}));
}

TEST_CASE(
    "a plain name is letters, digits, - and _, and looks like no option") {
  for (const char* text : {"web", "a", "A-z_09", "_a", "9", "a-"}) {
    INFO(text);
    CHECK(is_plain_name(text));
  }
  for (const std::string_view text :
       {""sv, "-"sv, "-a"sv, "a b"sv, "a.b"sv, "a/b"sv, ".."sv, "a\n"sv,
        "a\0b"sv, "ä"sv, "a@b"sv}) {
    INFO(text);
    CHECK_FALSE(is_plain_name(text));
  }
}

TEST_CASE("a number is digits that an int can hold") {
  CHECK(parse_number("0") == 0);
  CHECK(parse_number("2147483647") == 2147483647);
  for (const char* text :
       {"", "-1", "+1", " 1", "1 ", "1x", "0x1", "2147483648", "-0"}) {
    INFO(text);
    CHECK_FALSE(parse_number(text).has_value());
  }
}

TEST_CASE("a command for root to paste says as whom it runs") {
  CHECK(command_as(std::nullopt, "git status") == "git status");
  CHECK(command_as("ubuntu", "git status") ==
        "runuser -u ubuntu -- git status");
}

TEST_CASE("a command line is split into words as by sh") {
  using Words = std::vector<std::string>;
  struct Case {
    std::string_view line;
    std::optional<Words> words;
  };
  for (const Case& c : {
           Case{"", Words{}},
           Case{" \t ", Words{}},
           Case{" a  b\tc ", Words{"a", "b", "c"}},
           Case{"'a  b' \"c  d\"", Words{"a  b", "c  d"}},
           Case{"a'b'\"c\"d", Words{"abcd"}},
           Case{"'' \"\"", Words{"", ""}},
           Case{"'say \"a b\"' \"it's\"", Words{"say \"a b\"", "it's"}},
           Case{"'a\\b' \"a\\b\" a\\b", Words{"a\\b", "a\\b", "ab"}},
           Case{"\"\\\" \\\\ \\$ \\`\"", Words{"\" \\ $ `"}},
           Case{"a\\ b \\'", Words{"a b", "'"}},
           Case{"*.x ~ #", Words{"*.x", "~", "#"}},
           Case{"'$A`b`'", Words{"$A`b`"}},
           Case{"$A", {}},
           Case{"\"$A\"", {}},
           Case{"a `b`", {}},
           Case{"(a)", {}},
           Case{"'a|b' \"&&\" \\;", Words{"a|b", "&&", ";"}},
           Case{"a | b", {}},
           Case{"a&&b", {}},
           Case{"a;", {}},
           Case{"a >b", {}},
           Case{"<a", {}},
           Case{"'a", {}},
           Case{"a \"b'", {}},
           Case{"a \\", {}},
           Case{"\"a\\", {}},
       }) {
    INFO(c.line);
    CHECK(split_words(c.line) == c.words);
  }
}

TEST_CASE("a word that is quoted for a shell comes back whole") {
  for (const std::string word :
       {"", "a", "a b", "it's", "\"", "\\", "a|b", "$x", "\n", "\xff"}) {
    CHECK(split_words("x " + quoted(word)) ==
          std::vector<std::string>{"x", word});
  }
}

}  // namespace
}  // namespace deployment
