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
  const std::optional<User> user = checkout_user(config);
  return user ? std::optional(user->name) : std::nullopt;
}

TEST_CASE("runs as this process in a checkout of its own") {
  const Folder checkout;
  CHECK(user_of(config_of(checkout)) == std::nullopt);
  CHECK(user_of(config_of(checkout, find_user(geteuid()).name)) ==
        std::nullopt);
}

TEST_CASE("lets root run as the owner of the checkout, or as run-as says") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  const User other = somebody_else();
  CHECK(user_of(config_of(checkout, other.name)) == other.name);
  REQUIRE(chown(checkout.path().c_str(), other.uid, other.gid) == 0);
  CHECK(user_of(config_of(checkout)) == other.name);
  CHECK(user_of(config_of(checkout, "root")) == std::nullopt);
}

TEST_CASE("refuses to run as somebody else without being root") {
  const Folder checkout;
  const ActingAs user(geteuid() == 0 ? std::optional(somebody_else())
                                     : std::nullopt);
  CHECK(message_of<UsageError>(
            [&] { checkout_user(config_of(checkout, "root")); }) ==
        "run-as = root is not allowed; only root can run as another user");
}

TEST_CASE("refuses a run-as that no user has") {
  const Folder checkout;
  CHECK_THROWS_AS(checkout_user(config_of(checkout, "no-such-user")), Error);
}

TEST_CASE("refuses an owner that no user is") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  constexpr uid_t nobody_has = 4'000'000'000;
  REQUIRE(chown(checkout.path().c_str(), nobody_has, 0) == 0);
  CHECK_THROWS_AS(checkout_user(config_of(checkout)), Error);
}

TEST_CASE("tells which checkout cannot be looked at") {
  if (!is_root()) {
    return;
  }
  Config config;
  config.repo_dir = "/no/such/checkout";
  CHECK(message_of<Error>([&] { checkout_user(config); }) ==
        "cannot look at /no/such/checkout: No such file or directory");
}

// The foreign file found below `folder`, by its path in `checkout`; empty:
// none.
std::string foreign(const Folder& checkout, const char* folder, uid_t uid) {
  const auto file =
      find_foreign_file(checkout.path(), checkout.path() / folder, uid);
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
