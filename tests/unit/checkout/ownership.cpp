#include "lib/checkout/ownership.hpp"

#include <unistd.h>

#include "lib/base/error.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using Paths = std::vector<fs::path>;

// A user that every host has, and who is not the one of this process.
User somebody_else() {
  return find_user(geteuid() == 0 ? "daemon" : "root");
}

Config config_of(const Folder& checkout,
                 std::optional<std::string> run_as = {}) {
  Config config;
  config.repo_dir = checkout.path();
  config.run_as = std::move(run_as);
  return config;
}

std::optional<std::string> user_of(const Config& config) {
  const std::optional<User> user =
      checkout_user(config, Directory(config.repo_dir));
  return user ? std::optional(user->name) : std::nullopt;
}

TEST_CASE("runs as this process in a checkout of its own") {
  const Folder checkout;
  CHECK(user_of(config_of(checkout)) == std::nullopt);
  CHECK(user_of(config_of(checkout, find_user(geteuid()).name)) ==
        std::nullopt);
}

TEST_CASE("lets root run as the owner of the checkout") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  const User other = somebody_else();
  REQUIRE(chown(checkout.path().c_str(), other.uid, other.gid) == 0);
  CHECK(user_of(config_of(checkout)) == other.name);
  CHECK(user_of(config_of(checkout, other.name)) == other.name);
}

TEST_CASE("lets root run with fewer rights than the owner, never with more") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  const User other = somebody_else();
  CHECK(user_of(config_of(checkout, other.name)) == other.name);
  REQUIRE(chown(checkout.path().c_str(), other.uid, other.gid) == 0);
  for (const char* name : {"root", "nobody"}) {
    CHECK(message_of<UsageError>([&] { user_of(config_of(checkout, name)); })
              .starts_with("run-as = " + std::string(name) +
                           " is not allowed; the checkout belongs to another"));
  }
}

// A checkout in a folder of its own, both of `owner`, or of root.
class Checkout : public Folder {
 public:
  explicit Checkout(const User& owner = find_user(0)) {
    fs::create_directories(app() / ".git");
    for (const fs::path& path : {path(), app(), app() / ".git"}) {
      give(path, owner);
    }
  }

  fs::path app() const { return *this / "app"; }

  static void give(const fs::path& path, const User& owner) {
    REQUIRE(lchown(path.c_str(), owner.uid, owner.gid) == 0);
  }
  static void open(const fs::path& path, fs::perms more) {
    fs::permissions(path, more, fs::perm_options::add);
  }

  // Checks that the checkout at `path` is accepted, or refused for `place`.
  static void accepts(const fs::path& path) {
    CHECK_NOTHROW(checkout_user({.repo_dir = path}, Directory(path)));
  }
  static Error refusal(const fs::path& path, const fs::path& place) {
    const Error error = error_of<Error>(
        [&] { checkout_user({.repo_dir = path}, Directory(path)); });
    CHECK(contains(error.what(), " can change " + place.string()));
    return error;
  }
};

TEST_CASE("root does not work where others choose which folder it is") {
  if (!is_root()) {
    return;
  }
  const Checkout checkout;
  const fs::path app = checkout.app();
  Checkout::accepts(app);
  Checkout::open(checkout.path(), fs::perms::group_write);
  Checkout::accepts(app);  // root's group
  Checkout::open(checkout.path(), fs::perms::others_write);
  const Error error = Checkout::refusal(app, checkout.path());
  CHECK(error.what() == "the checkout " + app.string() +
                            " is not safe: others than root can change " +
                            checkout.path().string());
  CHECK(error.advice() == "chmod go-w " + checkout.path().string());
  Checkout::open(checkout.path(), fs::perms::sticky_bit);
  Checkout::accepts(app);
  Checkout::give(checkout.path(), somebody_else());
  CHECK(Checkout::refusal(app, checkout.path()).advice() ==
        "chown -R --reference=" + checkout.path().string() + " " +
            app.string());
}

TEST_CASE("nobody but root and the owner decides about the owner's checkout") {
  if (!is_root()) {
    return;
  }
  const User owner = somebody_else();
  const User third = find_user("nobody");
  const Checkout checkout(owner);
  const fs::path app = checkout.app();
  Checkout::accepts(app);
  for (const fs::path& place : {app, app / ".git"}) {
    Checkout::open(place, fs::perms::group_write);  // his own group
    Checkout::accepts(app);
  }
  Checkout::give(checkout.path(), third);
  CHECK(Checkout::refusal(app, checkout.path()).advice() ==
        "chown -hR --reference=" + app.string() + " " +
            checkout.path().string());
}

TEST_CASE("others than the owner may write neither to it nor to its .git") {
  if (!is_root()) {
    return;
  }
  for (const User& owner : {find_user(0), somebody_else()}) {
    INFO(owner.name);
    for (const char* name : {"app", "app/.git"}) {
      const Checkout checkout(owner);
      Checkout::open(checkout / name, fs::perms::others_write);
      Checkout::refusal(checkout.app(), checkout / name);
    }
    const Checkout group(owner);
    const fs::path git = group.app() / ".git";
    REQUIRE(chown(git.c_str(), owner.uid, 12345) == 0);
    Checkout::accepts(group.app());
    Checkout::open(git, fs::perms::group_write);
    Checkout::refusal(group.app(), git);
    const Checkout foreign(owner);
    Checkout::give(foreign.app() / ".git", find_user("nobody"));
    CHECK(contains(Checkout::refusal(foreign.app(), foreign.app() / ".git")
                       .advice()
                       .value_or(""),
                   "chown -hR --reference=" + foreign.app().string()));
  }
}

TEST_CASE("a link on the way is followed only where none else can change it") {
  if (!is_root()) {
    return;
  }
  const Checkout checkout;
  const Folder links;
  fs::create_directory_symlink(checkout.path(), links / "link");
  Checkout::accepts(links / "link/app");
  const Folder theirs;
  fs::create_directory_symlink(checkout.path(), theirs / "link");
  fs::create_directory_symlink(theirs / "link", links / "detour");
  Checkout::give(theirs.path(), somebody_else());
  Checkout::refusal(theirs / "link/app", theirs.path());
  Checkout::refusal(links / "detour/app", theirs.path());
  Checkout::open(links.path(), fs::perms::all | fs::perms::sticky_bit);
  Checkout::give(links / "link", somebody_else());
  const Error error = Checkout::refusal(links / "link/app", links / "link");
  CHECK(error.advice() ==
        "chown -hR --reference=" + (links / "link/app").string() + " " +
            (links / "link").string());
}

TEST_CASE("opens a checkout, and says what is none") {
  const Folder folder;
  const auto refusal = [&](const char* name) {
    return message_of<Error>([&] { open_checkout(folder / name); });
  };
  fs::create_directories(folder / "app/.git");
  CHECK(open_checkout(folder / "app")->is_open());
  write_file(folder / "linked-work-tree/.git", "gitdir: elsewhere\n");
  CHECK(open_checkout(folder / "linked-work-tree")->is_open());
  CHECK(refusal("missing") ==
        "the checkout " + (folder / "missing").string() + " is not there");
  fs::create_directory_symlink("app", folder / "link");
  CHECK(refusal("link") ==
        "the checkout " + (folder / "link").string() + " is a symbolic link");
  fs::create_directory(folder / "plain");
  CHECK(refusal("plain") == (folder / "plain").string() +
                                " is not a git checkout: there is no .git in "
                                "it");
  fs::create_directory_symlink("../app/.git", folder / "plain/.git");
  CHECK(refusal("plain") == (folder / "plain").string() +
                                " is not a git checkout: .git is a symbolic "
                                "link");
  write_file(folder / "file", "");
  CHECK(refusal("file") == "cannot open the directory " +
                               (folder / "file").string() +
                               ": Not a directory");
}

TEST_CASE("refuses to run as somebody else without being root") {
  const Folder folder;
  const Directory checkout(folder.path());
  const ActingAs user(geteuid() == 0 ? std::optional(somebody_else())
                                     : std::nullopt);
  CHECK(message_of<UsageError>(
            [&] { checkout_user(config_of(folder, "root"), checkout); }) ==
        "run-as = root is not allowed; only root can run as another user");
}

TEST_CASE("refuses a run-as that no user has") {
  const Folder checkout;
  CHECK_THROWS_AS(user_of(config_of(checkout, "no-such-user")), Error);
}

TEST_CASE("refuses an owner that no user is") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  constexpr uid_t nobody_has = 4'000'000'000;
  REQUIRE(chown(checkout.path().c_str(), nobody_has, 0) == 0);
  CHECK_THROWS_AS(user_of(config_of(checkout)), Error);
}

// The foreign file found below `folder`, by its path in `checkout`; empty:
// none.
std::string foreign(const Folder& checkout, const char* folder, uid_t uid) {
  const auto file =
      find_foreign_file(Directory(checkout.path()), checkout / folder, uid);
  return file ? file->lexically_relative(checkout.path()).string() : "";
}

TEST_CASE("finds a file of another user, but not those of services") {
  const Folder checkout;
  write_file(checkout / ".git/deployment-update/environments/web/1/log", "");
  const uid_t other = somebody_else().uid;
  CHECK(foreign(checkout, ".git/deployment-update", other) != "");
  CHECK(foreign(checkout, "missing", other) == "");
  write_file(checkout / ".git/index", "");
  CHECK(foreign(checkout, "", geteuid()) == "");
  CHECK(foreign(checkout, ".git", other) == ".git/index");
}

TEST_CASE("tells a link's owner, not that of the file it leads to") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  const User other = somebody_else();
  write_file(checkout / "mine", "");
  fs::create_symlink("mine", checkout / "link");
  REQUIRE(lchown((checkout / "link").c_str(), other.uid, other.gid) == 0);
  CHECK(foreign(checkout, "", geteuid()) == "link");
}

}  // namespace
}  // namespace deployment
