#include "lib/base/log.hpp"

#include <sys/stat.h>

#include <memory>
#include <utility>

#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

// Returns the text that a log to a file wrote.
std::string written(Log::Target target, bool verbose,
                    const std::function<void(Log&)>& use) {
  const Folder folder;
  const std::string path = folder / "log";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(path.c_str(), "w"), std::fclose);
  REQUIRE(file);
  Log log(file.get(), target, verbose);
  use(log);
  return read_file(path);
}

void one_of_each(Log& log) {
  log.error("bad");
  log.warning("odd");
  log.info("fine");
  log.debug("detail");
}

TEST_CASE("on a plain stream only trouble is marked") {
  CHECK(written(Log::Target::plain, false, one_of_each) ==
        "error: bad\nwarning: odd\nfine\n");
  CHECK(written(Log::Target::plain, true, one_of_each) ==
        "error: bad\nwarning: odd\nfine\ndetail\n");
}

TEST_CASE("in the journal each line has its level") {
  CHECK(written(Log::Target::journal, true, one_of_each) ==
        "<3>bad\n<4>odd\n<6>fine\n<7>detail\n");
  CHECK(written(Log::Target::journal, false, [](Log& log) {
          log.error("one\ntwo\n");
        }) == "<3>one\n<3>two\n");
}

TEST_CASE("foreign text cannot forge a line or move the cursor") {
  CHECK(written(Log::Target::journal, false, [](Log& log) {
          log.info("a\r<0>b\x1b[2J\nc");
        }) == "<6>a\\x0d<0>b\\x1b[2J\n<6>c\n");
}

TEST_CASE("a tab is shown as a blank") {
  CHECK(written(Log::Target::plain, false,
                [](Log& log) { log.info("error:\tfile"); }) == "error: file\n");
}

TEST_CASE("activity is shown on a terminal and makes way for lines") {
  CHECK(written(Log::Target::terminal, false,
                [](Log& log) {
                  log.show_activity("npm \x1b install", 3s);
                  log.show_activity("npm install", 4s);
                  log.info("done");
                }) ==
        "  ... npm \\x1b install (3 s)\r\x1b[K"
        "  ... npm install (4 s)\r\x1b[Kdone\n");
}

TEST_CASE("last words are those of an error, on a line of their own") {
  const std::pair<Log::Target, std::string> expected[] = {
      {Log::Target::plain, "error: a\nerror: \\x1b[K\n"},
      {Log::Target::journal, "<3>a\n<3>\\x1b[K\n"},
      {Log::Target::terminal, "\r\x1b[Kerror: a\nerror: \\x1b[K\n"}};
  for (const auto& [target, words] : expected) {
    CHECK(Log(stderr, target, false).last_words("a\n\x1b[K") == words);
  }
}

TEST_CASE("elsewhere activity is not shown") {
  for (const auto target : {Log::Target::plain, Log::Target::journal}) {
    CHECK(written(target, true, [](Log& log) {
            log.show_activity("npm install", 3s);
          }).empty());
  }
}

TEST_CASE("the journal is known by device and inode") {
  const Folder folder;
  const std::string path = folder / "stream";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(path.c_str(), "w"), std::fclose);
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  const std::string name =
      std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  {
    const Variable journal("JOURNAL_STREAM", name.c_str());
    CHECK(Log::target_of(file.get()) == Log::Target::journal);
  }
  for (const char* other : {"1:1", "", static_cast<const char*>(nullptr)}) {
    const Variable journal("JOURNAL_STREAM", other);
    CHECK(Log::target_of(file.get()) == Log::Target::plain);
  }
}

}  // namespace
}  // namespace deployment
