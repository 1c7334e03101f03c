#include "lib/checkout/git_locks.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "lib/base/user.hpp"
#include "tests/unit/processes.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// The lock files found in `checkout`, by their names in .git, sorted.
Paths names_of_locks(const Folder& checkout) {
  Paths names;
  for (const GitLock& lock : find_git_locks({}, Directory(checkout.path()))) {
    names.push_back(lock.path.lexically_relative(checkout / ".git"));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void make_older(const fs::path& path, std::chrono::seconds age) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - age);
}

TEST_CASE("finds no lock in a checkout that nobody works in") {
  const Folder checkout;
  CHECK(names_of_locks(checkout).empty());
  write_file(checkout / ".git/index", "");
  write_file(checkout / ".git/refs/heads/prod", "");
  CHECK(names_of_locks(checkout).empty());
}

TEST_CASE("finds the locks that would stop a deployment, and no others") {
  const Folder checkout;
  const Paths in_the_way = {"HEAD.lock",
                            "ORIG_HEAD.lock",
                            "config.lock",
                            "index.lock",
                            "modules/lib/index.lock",
                            "modules/lib/modules/nested/HEAD.lock",
                            "packed-refs.lock",
                            "refs/deployment-update/lost/a.lock",
                            "refs/heads/prod.lock",
                            "refs/remotes/origin/prod.lock",
                            "shallow.lock"};
  for (const std::string& name : in_the_way) {
    write_file(checkout / ".git" / name, "");
  }
  for (const char* name :
       {"gc.pid.lock", "modules/lib/objects/a.lock", "refs/heads/other.lock",
        "refs/deployment-update/lost/a", "refs/remotes/upstream/prod.lock"}) {
    write_file(checkout / ".git" / name, "");
  }
  CHECK(names_of_locks(checkout) == in_the_way);
}

TEST_CASE("finds a lock that is a link to nothing") {
  const Folder checkout;
  fs::create_directory(checkout / ".git");
  fs::create_symlink("nothing", checkout / ".git/index.lock");
  CHECK(names_of_locks(checkout) == Paths{"index.lock"});
}

// The one lock of a checkout that has one.
GitLock only_lock(const fs::path& checkout) {
  const auto locks = find_git_locks({}, Directory(checkout));
  REQUIRE(locks.size() == 1);
  return locks.front();
}

TEST_CASE("tells the age of a lock, which is never in the future") {
  const Folder checkout;
  const fs::path lock = checkout / ".git/index.lock";
  write_file(lock, "");
  make_older(lock, 1h);
  CHECK(only_lock(checkout.path()).age >= 1h);
  CHECK(only_lock(checkout.path()).age < 2h);
  make_older(lock, -1h);
  CHECK(only_lock(checkout.path()).age == 0s);
}

// Works in `folder` under the name of `program` until it is killed.
int work(const char* program, const fs::path& folder, const Fifo& fifo) {
  fs::current_path(folder);
  prctl(PR_SET_NAME, program);
  std::ofstream(fifo.path()) << "at work" << std::flush;
  pause();
  return 0;
}

struct Worker {
  const char* program;
  const char* folder;  // below the test's
  bool holds;
};

TEST_CASE("names the git that works in the checkout") {
  const Folder folder;
  const fs::path checkout = folder / "app";
  write_file(checkout / ".git/index.lock", "");
  fs::create_directory(checkout / "web");
  fs::create_directory(folder / "app2");
  CHECK(only_lock(checkout).holder == std::nullopt);
  for (const Worker& worker :
       {Worker{"git", "app", true}, Worker{"git-remote-http", "app/web", true},
        Worker{"vim", "app", false}, Worker{"git", "app2", false},
        Worker{"git", "", false}}) {
    INFO(worker.program << " in " << worker.folder);
    const fs::path pipe = folder / "pipe";
    Fifo fifo(pipe);
    const Helper helper(
        [&] { return work(worker.program, folder / worker.folder, fifo); });
    fifo.wait_for_text("at work");
    CHECK(only_lock(checkout).holder ==
          (worker.holds ? std::optional(helper.pid()) : std::nullopt));
    fs::remove(pipe);
  }
}

// As work(), as another user; its exec made a real git as open as this.
int work_as(const User& user, const fs::path& folder, const Fifo& fifo) {
  std::ofstream pipe(fifo.path());
  fs::current_path(folder);
  prctl(PR_SET_NAME, "git");
  if (setgid(user.gid) != 0 || setuid(user.uid) != 0 ||
      prctl(PR_SET_DUMPABLE, 1) != 0) {
    return 1;
  }
  pipe << "at work" << std::flush;
  pause();
  return 0;
}

TEST_CASE("a lock is held by a git of its owner alone") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  const fs::path lock = checkout / ".git/index.lock";
  write_file(lock, "");
  Fifo fifo(checkout / "pipe");
  const User other = find_user("daemon");
  const Helper helper([&] { return work_as(other, checkout.path(), fifo); });
  fifo.wait_for_text("at work");
  CHECK(only_lock(checkout.path()).holder == std::nullopt);
  REQUIRE(chown(lock.c_str(), other.uid, other.gid) == 0);
  CHECK(only_lock(checkout.path()).holder == helper.pid());
}

}  // namespace
}  // namespace deployment
