#include "lib/base/ini.hpp"

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

std::string as_text(const std::vector<IniEntry>& entries) {
  std::string text;
  for (const IniEntry& entry : entries) {
    text += "[" + entry.section + "]" + entry.key + "=" + entry.value + "\n";
  }
  return text;
}

TEST_CASE("entries come in order, with their section, without blanks") {
  CHECK(as_text(parse_ini("# a comment\n"
                          "one = 1  # another\n"
                          "\n"
                          "[part]\n"
                          "  two=a b = c\t\n"
                          "two =\n"
                          "[other]\n"
                          "three = 3",
                          "file")) ==
        "[]one=1\n"
        "[part]two=a b = c\n"
        "[part]two=\n"
        "[other]three=3\n");
}

TEST_CASE("a line of no form is refused in one line that names the file") {
  for (const char* text :
       {"only a word", "[part", "%invalid_line%", "one = 1\n\x1b[2J\n"}) {
    const std::string message =
        message_of<UsageError>([&] { parse_ini(text, "/etc/some.conf"); });
    INFO(message);
    CHECK(message.starts_with("/etc/some.conf: "));
    CHECK(message == escaped(message));
  }
}

TEST_CASE("any value comes back from its escaped form") {
  using namespace std::string_literals;
  for (const std::string& value : {""s,          "plain"s,    " leading"s,
                                   "trailing "s, " "s,        "   "s,
                                   "\t"s,        "a # b"s,    "#"s,
                                   "new\nline"s, "\r\n"s,     "back\\slash"s,
                                   "\\"s,        "\\x41"s,    "a = b"s,
                                   "[part]"s,    "=x"s,       "\"quoted\""s,
                                   "tä 日本語"s, "\xff\xfe"s, "\xe2\x80\xae"s,
                                   "nul\0l"s,    "a  b"s}) {
    INFO(value);
    const std::string line = "key = " + ini_escaped(value) + "\n";
    const std::vector<IniEntry> entries = parse_ini(line, "file");
    REQUIRE(entries.size() == 1);
    CHECK(ini_unescaped(entries[0].value) == value);
  }
}

TEST_CASE("a value that needs no escape is written as it is") {
  CHECK(ini_escaped("dir/requirements.txt") == "dir/requirements.txt");
  CHECK(ini_escaped("a b") == "a b");
  CHECK(ini_unescaped("\\x4") == "\\x4");
  CHECK(ini_unescaped("\\xzz") == "\\xzz");
}

}  // namespace
}  // namespace deployment
