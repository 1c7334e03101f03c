#include "lib/model/record.hpp"

#include <sys/stat.h>

#include "lib/base/error.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

Deployment deployment(int number) {
  return {.ended = Time(std::chrono::seconds(number)),
          .outcome = Deployment::Outcome::deployed,
          .duration = 7s,
          .from = id('a'),
          .to = id('b')};
}

Record full_record() {
  Record record;
  record.deployed = id('a');
  record.moving_to = id('b');
  record.quarantined = id('c');
  record.roll_back_to = id('d');
  record.pending = Pending{.tip = id('b'),
                           .reached = Reached::restarted,
                           .running = true,
                           .step = "backend: install",
                           .error = "pip: exited with code 1",
                           .attempts = 2,
                           .since = Time(1000s),
                           .next_try = Time(2000s)};
  record.remote_away_since = Time(3000s);
  record.history = {deployment(10),
                    {.ended = Time(20s),
                     .outcome = Deployment::Outcome::failed,
                     .duration = 0s,
                     .from = "",
                     .to = id('b')},
                    {.ended = Time(30s),
                     .outcome = Deployment::Outcome::rolled_back,
                     .duration = 90s,
                     .from = id('b'),
                     .to = id('a')}};
  record.components["frontend"] = {
      .commit = id('a'),
      .restarted = id('b'),
      .inputs = {{"package.json", std::string(64, 'c')}}};
  record.components["backend"] = {
      .commit = "",
      .inputs = {{"python3", "3.11.2"}, {"a.txt", std::string(64, 'd')}}};
  record.components["skipped"] = {.commit = id('a')};
  return record;
}

Record read(const std::string& text) {
  return parse_record(text, "/state/record");
}

TEST_CASE("a record comes back from its text") {
  for (const Record& record : {Record{}, full_record()}) {
    INFO(to_text(record));
    CHECK(read(to_text(record)) == record);
  }
}

TEST_CASE("a person can read the text") {
  Record record;
  record.deployed = id('a');
  record.history = {deployment(0)};
  record.components["backend"] = {
      .commit = id('a'),
      .inputs = {{"requirements.txt", std::string(64, 'c')}}};
  CHECK(to_text(record) ==
        "# What deployment-update has done here.\n"
        "deployed = " +
            id('a') +
            "\n"
            "deployment = 1970-01-01T00:00:00Z deployed 7 " +
            id('a') + " " + id('b') +
            "\n"
            "\n[backend]\n"
            "commit = " +
            id('a') +
            "\n"
            "input = " +
            std::string(64, 'c') + "  requirements.txt\n");
}

TEST_CASE("names and messages of any bytes come back") {
  using namespace std::string_literals;
  for (const std::string& text :
       {"a # b.txt"s, "#a"s, "a\nb"s, "a\\b"s, "a\\x0ab"s, " a"s, "a "s, "  "s,
        "\ta\t"s, "a  b"s, "[x]"s, "a=b"s, "\xff"s, "\xe2\x80\xae"s, "ä 日本"s,
        "'\""s, "\r"s, "\x1b[2J"s}) {
    INFO(text);
    Record record = full_record();
    record.components["backend"].inputs = {{text, std::string(64, 'c')}};
    record.pending->step = text;
    record.pending->error = text;
    CHECK(read(to_text(record)) == record);
  }
}

TEST_CASE("text that is no record is refused, with what to do about it") {
  const std::string pending = "pending = " + id('b') + "\n";
  for (const std::string& text :
       {std::string("garbage\n"),
        std::string("deployed = abc\n"),
        "deployed = " + std::string(40, 'X') + "\n",
        std::string("colour = 1\n"),
        std::string("remote-away-since = yesterday\n"),
        std::string("moving-to = prod\n"),
        std::string("attempts = 1\n"),
        pending + "attempts = -1\n",
        pending + "attempts = 1x\n",
        pending + "since = 2024-02-30T00:00:00Z\n",
        "deployment = 1970-01-01T00:00:00Z deployed 7 " + id('a') + "\n",
        "deployment = 1970-01-01T00:00:00Z gone 7 - " + id('a') + "\n",
        "deployment = 1970-01-01T00:00:00Z deployed x - " + id('a') + "\n",
        std::string("[backend]\ninput = nothing\n"),
        std::string("[backend]\ncolour = 1\n"),
        std::string("[backend]\ncommit = 1\n"),
        "[b\xd6)]\ncommit = " + id('a') + "\n",
        "[-b]\ncommit = " + id('a') + "\n",
        pending + "reached = all\n",
        std::string("\0\0\0\0", 4),
        std::string("\x7f"
                    "ELF")}) {
    INFO(text);
    const auto error = error_of<Error>([&] { read(text); });
    CHECK(std::string(error.what())
              .starts_with("the record /state/record cannot be read: "));
    CHECK(error.advice() ==
          "mend that line, or start anew: mv /state/record /state/record.old");
    CHECK(error.exit_code() == exit_failed);
  }
}

TEST_CASE("a record that was cut short anywhere is refused or is shorter") {
  const std::string text = to_text(full_record());
  for (std::size_t size = 0; size < text.size(); ++size) {
    try {
      const Record record = read(text.substr(0, size));
      CHECK(record.history.size() <= 3);
    } catch (const Error& error) {
      CHECK(contains(error.what(), "/state/record"));
    }
  }
}

TEST_CASE("the history keeps the last ten deployments") {
  Record record;
  for (int i = 1; i <= 12; ++i) {
    add_to_history(record, deployment(i));
  }
  REQUIRE(record.history.size() == 10);
  CHECK(record.history.front() == deployment(3));
  CHECK(record.history.back() == deployment(12));
}

TEST_CASE("a record that was never saved is none") {
  const Folder folder;
  CHECK_FALSE(RecordFile(folder / "state").load().has_value());
  CHECK_FALSE(RecordFile(folder.path()).load().has_value());
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("saving makes the state directory, and only a record in it") {
  const Folder folder;
  const RecordFile file(folder / "a/b/state");
  file.save(full_record());
  CHECK(file.load() == full_record());
  file.save(Record{});
  CHECK(file.load() == Record{});
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder / "a/b/state")) {
    names.push_back(entry.path().filename());
  }
  CHECK(names == std::vector<std::string>{"record"});
}

TEST_CASE("saving replaces the file and never writes into it") {
  const Folder folder;
  const RecordFile file(folder.path());
  file.save(full_record());
  std::filesystem::create_hard_link(file.path(), folder / "old");
  file.save(Record{});
  CHECK(read_file(folder / "old") == to_text(full_record()));
}

TEST_CASE("a link in the place of the record is not followed") {
  const Folder folder;
  const Folder elsewhere;
  write_file(elsewhere / "target", "precious");
  std::filesystem::create_symlink(elsewhere / "target", folder / "record.new");
  std::filesystem::create_symlink(elsewhere / "target", folder / "record");
  const RecordFile file(folder.path());
  CHECK_THROWS_AS(file.load(), Error);
  CHECK_THROWS_AS(file.save(Record{}), Error);
  CHECK(read_file(elsewhere / "target") == "precious");
}

TEST_CASE("a state directory that is a link is refused") {
  const Folder folder;
  std::filesystem::create_directory(folder / "real");
  std::filesystem::create_symlink(folder / "real", folder / "state");
  CHECK_THROWS_AS(RecordFile(folder / "state").save(Record{}), Error);
  CHECK(std::filesystem::is_empty(folder / "real"));
}

TEST_CASE("root keeps no record where others may write") {
  if (geteuid() != 0) {
    return;
  }
  const Folder folder;
  REQUIRE(chmod(folder.path().c_str(), 0777) == 0);
  const auto error =
      error_of<Error>([&] { RecordFile(folder.path()).save(Record{}); });
  CHECK(std::string(error.what()) == "the state directory " +
                                         folder.path().string() +
                                         " can be written by others than root");
  CHECK(contains(error.advice(), "chmod 755 " + folder.path().string()));
}

}  // namespace
}  // namespace deployment
