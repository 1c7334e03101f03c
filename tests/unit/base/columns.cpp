#include "lib/base/columns.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("counts columns and not bytes") {
  CHECK(width_of("") == 0);
  CHECK(width_of("abc") == 3);
  CHECK(width_of("äöü") == 3);
  CHECK(width_of("日本") == 4);
  CHECK(width_of("🚀!") == 3);
}

TEST_CASE("cuts what is too wide, and nothing else") {
  CHECK(fitted("abc", 3) == "abc");
  CHECK(fitted("abcd", 3) == "ab…");
  CHECK(fitted("äöüß", 3) == "äö…");
  CHECK(fitted("日本語", 5) == "日本…");
  CHECK(fitted("日本語", 4) == "日…");
  CHECK(fitted("a\x1b[31m", 10) == "a\\x1b[31m");
}

TEST_CASE("breaks lines at blanks") {
  CHECK(wrapped("key", "some words", 6) == "key   some words\n");
  CHECK(wrapped("", "some words", 2) == "  some words\n");
  const std::string word(30, 'x');
  CHECK(wrapped("key", word + ' ' + word + ' ' + word, 6) ==
        "key   " + word + ' ' + word + "\n      " + word + '\n');
}

TEST_CASE("uses each of 80 columns, and no more") {
  const std::string text = std::string(36, 'a') + ' ' + std::string(37, 'b');
  CHECK(wrapped("", text, 6) == "      " + text + '\n');
  CHECK(wrapped("", text + 'b', 6) == "      " + std::string(36, 'a') +
                                          "\n      " + std::string(38, 'b') +
                                          '\n');
}

TEST_CASE("begins below a key that is too long") {
  CHECK(wrapped("a-long-key", "value", 6) == "a-long-key value\n");
  CHECK(wrapped(std::string(70, 'k'), "a value of words", 6) ==
        std::string(70, 'k') + " a value\n      of words\n");
}

TEST_CASE("breaks no word") {
  const std::string path = '/' + std::string(90, 'p');
  CHECK(wrapped("key", "at " + path + " or so", 6) ==
        "key   at\n      " + path + "\n      or so\n");
}

}  // namespace
}  // namespace deployment
