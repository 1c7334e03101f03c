#include "lib/base/directory.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "lib/base/error.hpp"
#include "tests/unit/processes.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("a file is replaced as a whole, under a name that none can take") {
  const Folder folder;
  Directory directory(folder.path());
  CHECK(directory.read("file") == std::nullopt);
  directory.replace("file", "one");
  CHECK(directory.read("file") == "one");
  directory.replace("file", "two");
  CHECK(directory.read("file") == "two");
  CHECK(directory.names() == std::vector<std::string>{"file"});

  std::filesystem::create_directory(folder / "file.d");
  directory.replace("file", "two", timespec{.tv_sec = 12, .tv_nsec = 345});
  CHECK(directory.look_at("file")->st_mtim.tv_sec == 12);
  CHECK(directory.look_at("file")->st_mtim.tv_nsec == 345);
  CHECK_THROWS_AS(directory.replace("file.d", "three"), Error);
  CHECK(directory.names().size() == 2);
}

// A folder with one of each kind of thing, and links out of it.
class Mixture : public Folder {
 public:
  Mixture() {
    write_file(outside_ / "precious", "x");
    write_file(*this / "in/file", "x");
    std::filesystem::create_symlink("file", *this / "in/link");
    std::filesystem::create_directory_symlink("in", *this / "to-in");
    std::filesystem::create_directory_symlink(outside_.path(), *this / "out");
    REQUIRE(mkfifo((*this / "in/fifo").c_str(), 0600) == 0);
  }
  std::string precious() const { return read_file(outside_ / "precious"); }

 private:
  Folder outside_;
};

// From here on openat2(2) fails in this process as it does where it is unknown.
bool forget_openat2() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = 4, .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 &&
         syscall(SYS_openat2, -1, "", nullptr, 0) < 0 && errno == ENOSYS;
}

// Returns true when each of these paths of a Mixture is, or is not, reached.
bool reaches_only(const Mixture& folder, const Directory& directory) {
  constexpr std::array<const char*, 11> unreachable = {
      "in/link",     "to-in/file", "out/precious", "in/fifo",
      "in",          "missing",    "in/..",        "in/../../etc/passwd",
      "/etc/passwd", "..",         "in/file/x"};
  return directory.read_regular_file("in/file") == "x" &&
         directory.read_regular_file(folder / "in/file") == "x" &&
         directory.has("in/link") && directory.has(".") &&
         !directory.has("out/precious") && !directory.has("to-in/link") &&
         directory.open("out/precious", O_CREAT | O_RDWR, 0644).get() < 0 &&
         std::ranges::none_of(unreachable, [&](const char* path) {
           return directory.read_regular_file(path).has_value();
         });
}

TEST_CASE("a folder is no way out where openat2 is not known") {
  const Mixture folder;
  Helper helper([&] {
    const Directory directory(folder.path());
    return forget_openat2() && reaches_only(folder, directory) ? 0 : 1;
  });
  CHECK(helper.wait() == 0);
}

TEST_CASE("what is below a folder is reached without a link") {
  const Mixture folder;
  CHECK(reaches_only(folder, Directory(folder.path())));
  const Directory directory(folder.path());
  CHECK(S_ISLNK(directory.look_at("in/link")->st_mode));
  CHECK(directory.read_link("in/link") == "file");
  CHECK(directory.read_link("in/file") == std::nullopt);
  CHECK_FALSE(directory.folder("out").is_open());
  CHECK_FALSE(directory.folder("missing").is_open());
}

TEST_CASE("nothing is made, renamed or removed through a link") {
  const Mixture folder;
  Directory directory(folder.path());
  CHECK_THROWS_AS(directory.make_folders("out/made"), Error);
  CHECK_THROWS_AS(directory.rename("out/precious", "in/taken"), Error);
  CHECK_THROWS_AS(directory.rename("in/file", "out/given"), Error);
  CHECK_THROWS_AS(directory.remove("out/precious"), Error);
  CHECK(folder.precious() == "x");
  directory.remove("out");  // the link itself
  CHECK_FALSE(directory.has("out"));
  CHECK(folder.precious() == "x");
  directory.make_folders("a/b/c");
  CHECK(directory.rename("in/file", "a/b/c/file"));
  CHECK(directory.read_regular_file("a/b/c/file") == "x");
  directory.remove("a");
  directory.remove("a");
  CHECK_FALSE(directory.has("a"));
}

// Returns true when only what another file system holds below `folder` stays.
bool keeps_other_file_system(const Folder& folder) {
  const std::filesystem::path mounted = folder / "a/b/mounted";
  std::filesystem::create_directories(mounted);
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", mounted.c_str(), "tmpfs", 0, nullptr) != 0) {
    return false;
  }
  write_file(mounted / "precious", "x");
  write_file(folder / "a/z", "x");
  Directory directory(folder.path());
  try {
    directory.remove("a");
    return false;
  } catch (const Error&) {
    return read_file(mounted / "precious") == "x" && !directory.has("a/z");
  }
}

TEST_CASE("another file system stays, and what is beside it goes") {
  if (!is_root()) {
    return;
  }
  const Folder folder;
  Helper helper([&] { return keeps_other_file_system(folder) ? 0 : 1; });
  CHECK(helper.wait() == 0);
}

TEST_CASE("a write removes what a killed one has left aside, and no more") {
  const Folder folder;
  for (const char* name : {"file.0123456789abcdef", "file.0123456789abcdeg",
                           "file.01234567", "other.0123456789abcdef"}) {
    write_file(folder / name, "x");
  }
  Directory directory(folder.path());
  directory.replace("file", "one");
  auto names = directory.names();
  std::ranges::sort(names);
  CHECK(names == std::vector<std::string>{"file", "file.01234567",
                                          "file.0123456789abcdeg",
                                          "other.0123456789abcdef"});
}

TEST_CASE("an open folder stays the same one whatever its path leads to") {
  const Folder folder;
  write_file(folder / "app/file", "mine");
  const Directory directory(folder / "app");
  std::filesystem::rename(folder / "app", folder / "old");
  write_file(folder / "app/file", "exchanged");
  CHECK(directory.read_regular_file("file") == "mine");
  CHECK(directory.read_regular_file(folder / "app/file") == "mine");
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
