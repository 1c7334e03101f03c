#include "lib/environments/requirements.hpp"

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using Files = std::vector<std::string>;

Files included_files(std::string_view text) {
  Files files;
  for_each_included(text,
                    [&](std::string_view file) { files.emplace_back(file); });
  return files;
}

TEST_CASE("both options are found in all the forms that pip takes") {
  CHECK(included_files("flask==3\n"
                       "-r base.txt\n"
                       "-rshort.txt\n"
                       "--requirement long.txt\n"
                       "--requirement=equals.txt\n"
                       "-c constraints.txt\n"
                       "--constraint ../up.txt\n"
                       "  -r\ttab.txt  \n"
                       "-r crlf.txt\r\n") ==
        Files{"base.txt", "short.txt", "long.txt", "equals.txt",
              "constraints.txt", "../up.txt", "tab.txt", "crlf.txt"});
}

TEST_CASE("comments and continued lines are read as pip reads them") {
  CHECK(included_files("# -r not.txt\n"
                       "-r a.txt # and why\n"
                       "-r b#c.txt\n"
                       "-r \\\n"
                       "  joined.txt\n"
                       "flask \\\n"
                       "  -r not_at_the_start.txt\n"
                       "# a comment \\\n"
                       "-r after.txt\n") ==
        Files{"a.txt", "b#c.txt", "joined.txt", "after.txt"});
}

TEST_CASE("names may be quoted, and addresses are no files") {
  CHECK(included_files("-r \"with blank.txt\"\n"
                       "-r 'single.txt'\n"
                       "-r https://example.org/requirements.txt\n"
                       "-c file:///etc/constraints.txt\n") ==
        Files{"with blank.txt", "single.txt"});
}

TEST_CASE("other lines include nothing") {
  CHECK(included_files("").empty());
  CHECK(included_files("-r\n--requirements x\n--no-binary x\nrich\n-e .\n")
            .empty());
  CHECK(included_files("-r last.txt \\") == Files{"last.txt"});
  CHECK(included_files("\\").empty());
}

}  // namespace
}  // namespace deployment
