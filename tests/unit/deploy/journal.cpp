#include "lib/deploy/journal.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.hpp"
#include "lib/model/record_text.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

void become(Record& record, const Record& other) {
  record = other;
}

Record deployed() {
  Record record;
  record.deployed = commit('a');
  return record;
}

Record load(const std::filesystem::path& state_dir) {
  return Journal(state_dir).record();
}

TEST_CASE("a record that was never written is empty") {
  const Folder folder;
  CHECK(load(folder / "state") == Record{});
  CHECK(load(folder.path()) == Record{});
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("saving makes the state directory, and only a record in it") {
  const Folder folder;
  Journal journal(folder / "a/b/state");
  journal.write(become, deployed());
  CHECK(load(folder / "a/b/state") == deployed());
  journal.write(become, Record{});
  CHECK(load(folder / "a/b/state") == Record{});
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder / "a/b/state")) {
    names.push_back(entry.path().filename());
  }
  CHECK(names == std::vector<std::string>{"record"});
}

TEST_CASE("saving replaces the file and never writes into it") {
  const Folder folder;
  Journal journal(folder.path());
  journal.write(become, deployed());
  std::filesystem::create_hard_link(folder / "record", folder / "old");
  journal.write(become, Record{});
  CHECK(read_file(folder / "old") == to_text(deployed()));
}

TEST_CASE("a link in the place of the record is not followed") {
  const Folder folder;
  const Folder elsewhere;
  const std::string other = to_text(Record{.deployed = commit('e')});
  write_file(elsewhere / "target", other);
  std::filesystem::create_symlink(elsewhere / "target", folder / "record.new");
  std::filesystem::create_symlink(elsewhere / "target", folder / "record");
  CHECK_THROWS_AS(load(folder.path()), Error);
  std::filesystem::remove(folder / "record");
  Journal journal(folder.path());
  std::filesystem::create_symlink(elsewhere / "target", folder / "record");
  journal.write(become, deployed());
  CHECK(load(folder.path()) == deployed());
  CHECK(read_file(elsewhere / "target") == other);
}

TEST_CASE("a state directory that is a link is refused") {
  const Folder folder;
  std::filesystem::create_directory(folder / "real");
  std::filesystem::create_symlink(folder / "real", folder / "state");
  CHECK_THROWS_AS(Journal(folder / "state"), Error);
  CHECK(std::filesystem::is_empty(folder / "real"));
}

TEST_CASE("root keeps no record where others may write") {
  if (!is_root()) {
    return;
  }
  const Folder folder;
  REQUIRE(chmod(folder.path().c_str(), 0777) == 0);
  const auto error = error_of<Error>([&] { Journal journal(folder.path()); });
  CHECK(std::string(error.what()) == "the directory " + folder.path().string() +
                                         " can be written by others than root");
  CHECK(contains(error.advice().value_or(""),
                 "chmod 755 " + folder.path().string()));
}

TEST_CASE("root keeps no record in somebody else's folder") {
  if (!is_root()) {
    return;
  }
  const Folder folder;
  REQUIRE(chown(folder.path().c_str(), 65534, 65534) == 0);
  CHECK_THROWS_AS(Journal(folder.path()), Error);
}

TEST_CASE("the state directory can be read by all, whatever the umask") {
  const Folder folder;
  const mode_t before = umask(077);
  Journal(folder / "state").write(become, deployed());
  umask(before);
  struct stat status {};
  REQUIRE(stat((folder / "state").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0755);
  REQUIRE(stat((folder / "state/record").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0644);
}

TEST_CASE("a change that changes nothing writes nothing") {
  const Folder folder;
  Journal journal(folder / "state");
  journal.write(become, Record{});
  CHECK_FALSE(std::filesystem::exists(folder / "state"));
}

TEST_CASE("a change that cannot be written is not made in memory either") {
  const Folder folder;
  Journal journal(folder / "state");
  write_file(folder / "state", "no folder");
  CHECK_THROWS_AS(journal.write(become, deployed()), Error);
  CHECK(journal.record() == Record{});
}

}  // namespace
}  // namespace deployment
