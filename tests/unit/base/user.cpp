#include "lib/base/user.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "lib/base/error.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

constexpr uid_t nobody_has = 4'000'000'000;

TEST_CASE("finds the same user by id and by name") {
  for (const uid_t uid : {uid_t{0}, geteuid(), find_user("nobody").uid}) {
    const User by_id = find_user(uid);
    const User by_name = find_user(by_id.name);
    CHECK(by_id.uid == uid);
    CHECK(by_name.uid == uid);
    CHECK(by_name.gid == by_id.gid);
    CHECK(by_name.groups == by_id.groups);
    CHECK(by_name.name == by_id.name);
    CHECK(by_name.home == by_id.home);
    CHECK(by_name.shell == by_id.shell);
  }
}

TEST_CASE("tells of root what every host says of it") {
  const User root = find_user("root");
  CHECK(root.uid == 0);
  CHECK(root.gid == 0);
  CHECK(root.home == "/root");
  CHECK(root.shell.starts_with('/'));
  CHECK(std::count(root.groups.begin(), root.groups.end(), 0) == 1);
}

TEST_CASE("tells which user there is not") {
  CHECK(contains(message_of<Error>([] { find_user("no-such-user"); }),
                 "'no-such-user'"));
  CHECK(contains(message_of<Error>([] { find_user(nobody_has); }),
                 std::to_string(nobody_has)));
  CHECK_THROWS_AS(find_user(""), Error);
}

std::vector<gid_t> sorted(std::vector<gid_t> groups) {
  std::sort(groups.begin(), groups.end());
  return groups;
}

std::vector<gid_t> groups_now() {
  std::vector<gid_t> groups(static_cast<std::size_t>(getgroups(0, nullptr)));
  getgroups(static_cast<int>(groups.size()), groups.data());
  return sorted(std::move(groups));
}

// The ids with which this process touches files.
struct Ids {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  std::vector<gid_t> groups = groups_now();

  bool operator==(const Ids&) const = default;
};

TEST_CASE("acts with its own rights for nobody in particular, and for itself") {
  const Ids before;
  {
    const ActingAs user(std::nullopt);
    CHECK(Ids() == before);
  }
  {
    const ActingAs user(find_user(geteuid()));
    CHECK(Ids() == before);
  }
  CHECK(Ids() == before);
}

struct stat status_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status;
}

TEST_CASE("root's files are somebody else's while it acts as them") {
  if (!is_root()) {
    return;
  }
  const Folder folder;
  const User nobody = find_user("nobody");
  REQUIRE(chown(folder.path().c_str(), nobody.uid, nobody.gid) == 0);
  const Ids before;
  {
    const ActingAs user(nobody);
    write_file(folder / "theirs", "");
    CHECK(Ids().groups == sorted(nobody.groups));
  }
  CHECK(Ids() == before);
  write_file(folder / "mine", "");
  CHECK(status_of(folder / "theirs").st_uid == nobody.uid);
  CHECK(status_of(folder / "theirs").st_gid == nobody.gid);
  CHECK(status_of(folder / "mine").st_uid == 0);
  CHECK(status_of(folder / "mine").st_gid == before.gid);
}

TEST_CASE("root has no more rights than those whom it acts as") {
  if (!is_root()) {
    return;
  }
  const Folder folder;
  write_file(folder / "secret", "");
  const ActingAs user(find_user("nobody"));
  CHECK((eaccess((folder / "secret").c_str(), R_OK) != 0 && errno == EACCES));
}

TEST_CASE("comes back after an error, too") {
  if (!is_root()) {
    return;
  }
  const Ids before;
  CHECK(message_of<Error>([] {
          const ActingAs user(find_user("nobody"));
          throw Error("while it acts");
        }) == "while it acts");
  CHECK(Ids() == before);
}

TEST_CASE("cannot act as somebody else without being root") {
  const ActingAs user(geteuid() == 0 ? std::optional(find_user("nobody"))
                                     : std::nullopt);
  const Ids before;
  CHECK(contains(
      message_of<Error>([] { const ActingAs root(find_user("root")); }),
      "root"));
  CHECK(Ids() == before);
}

}  // namespace
}  // namespace deployment
