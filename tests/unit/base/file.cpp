#include "lib/base/file.hpp"

#include <sys/stat.h>

#include "lib/base/error.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("a file is replaced as a whole, whatever stands in the way") {
  const Folder folder;
  Directory directory(folder.path());
  CHECK(directory.read("file") == std::nullopt);
  directory.replace("file", "one");
  CHECK(directory.read("file") == "one");

  const auto aside = folder / "file.new";
  REQUIRE(mkfifo(aside.c_str(), 0600) == 0);  // to open it would block
  directory.replace("file", "two");
  CHECK(directory.read("file") == "two");

  write_file(folder / "precious", "x");
  std::filesystem::create_symlink("precious", aside);
  directory.replace("file", "three");
  CHECK(directory.read("file") == "three");
  CHECK(read_regular_file(folder / "precious") == "x");
  CHECK_FALSE(std::filesystem::exists(symlink_status(aside)));
}

TEST_CASE("what is no regular file is not read") {
  const Folder folder;
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  write_file(folder / "file", "x");
  std::filesystem::create_symlink("file", folder / "link");
  for (const char* name : {"fifo", "link", "missing", "."}) {
    CHECK(read_regular_file(folder / name) == std::nullopt);
  }
  CHECK(read_regular_file(folder / "file") == "x");
}

TEST_CASE("a file that is too long is refused, and not kept in memory") {
  const Folder folder;
  write_file(folder / "file", "");
  std::filesystem::resize_file(folder / "file", 2LL << 30);
  CHECK(message_of<Error>([&] { read_regular_file(folder / "file"); }) ==
        (folder / "file").string() + " is longer than 16777216 bytes");
}

}  // namespace
}  // namespace deployment
