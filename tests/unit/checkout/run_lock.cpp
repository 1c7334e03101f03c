#include "lib/checkout/run_lock.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "lib/base/error.hpp"
#include "lib/checkout/git_locks.hpp"
#include "lib/model/paths.hpp"
#include "tests/unit/processes.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A checkout as far as a lock is concerned. For root it belongs to another
// user, so that all locks are taken.
class Checkout : public Folder {
 public:
  Checkout() {
    fs::create_directories(*this / ".git");
    if (geteuid() == 0) {
      owner_ = find_user("daemon");
      give(path());
      give(*this / ".git");
    }
  }

  const std::optional<User>& owner() const { return owner_; }
  fs::path lock_file() const { return own_folder(path()) / lock_name; }

  // Makes `file` the owner's.
  void give(const fs::path& file) const {
    if (owner_) {
      REQUIRE(lchown(file.c_str(), owner_->uid, owner_->gid) == 0);
    }
  }

  Lock lock(std::chrono::seconds patience = 0s) const {
    return {Directory(path()), owner_, patience};
  }

 private:
  std::optional<User> owner_;
};

void say(const Fifo& fifo, const std::string& text) {
  write_file(fifo.path(), text);
}

// Holds a lock until it is killed.
class Holder {
 public:
  Holder(const Checkout& checkout, const std::function<Lock()>& take)
      : fifo_(checkout / "holder"), helper_([&] {
          const Lock lock = take();
          say(fifo_, "held");
          pause();
          return 0;
        }) {
    fifo_.wait_for_text("held");
  }
  explicit Holder(const Checkout& checkout)
      : Holder(checkout, [&] { return checkout.lock(); }) {}

  Helper& process() { return helper_; }

 private:
  Fifo fifo_;
  Helper helper_;
};

// Becomes the owner for good, as who runs the program at a prompt is.
void become_owner(const Checkout& checkout) {
  const User& owner = *checkout.owner();
  REQUIRE(setgid(owner.gid) == 0);
  REQUIRE(setuid(owner.uid) == 0);
}

// Returns how a process ends that takes a lock: 0, or the exit code of an
// error, whose text is written to `text`.
int end_of_another_run(const std::function<Lock()>& take,
                       const fs::path& text) {
  return Helper([&] {
           const Descriptor out(
               open(text.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
           try {
             take();
             return 0;
           } catch (const Error& error) {
             dprintf(out.get(), "%s", error.what());
             return error.exit_code();
           }
         })
      .wait();
}

TEST_CASE("a second run is refused with 75 and told who is at work") {
  const Checkout checkout;
  Holder holder(checkout);
  const auto error = error_of<Error>([&] { checkout.lock(); });
  CHECK(error.exit_code() == exit_locked);
  CHECK(std::string(error.what())
            .starts_with("another run is active in " +
                         checkout.path().string() + ": unit-tests (process " +
                         std::to_string(holder.process().pid()) +
                         ") since 20"));
  CHECK(contains(error.advice().value_or(""), "--wait"));
}

TEST_CASE("the lock of a run that was killed is free") {
  const Checkout checkout;
  Holder holder(checkout);
  holder.process().kill(SIGKILL);
  holder.process().wait();
  CHECK_NOTHROW(checkout.lock());
}

TEST_CASE("a command that a killed run was starting does not hold its lock") {
  const Checkout checkout;
  Fifo fifo(checkout / "fifo");
  Helper run([&] {
    const Lock lock = checkout.lock();
    const Descriptor out(open(fifo.path().c_str(), O_WRONLY | O_CLOEXEC));
    const pid_t child = vfork();  // NOLINT: as launch.cpp starts commands
    if (child == 0) {
      dprintf(out.get(), "child %d.", getpid());
      pause();
      _exit(0);
    }
    return 0;
  });
  fifo.wait_for_text(".");
  run.kill(SIGKILL);
  run.wait();
  CHECK_NOTHROW(checkout.lock());
  const pid_t child = std::stoi(fifo.text().substr(std::strlen("child ")));
  CHECK(kill(child, SIGKILL) == 0);  // it lived until now
}

TEST_CASE("the lock is free when its life ends, and its file stays") {
  const Checkout checkout;
  { const Lock lock = checkout.lock(); }
  struct stat before {};
  REQUIRE(lstat(checkout.lock_file().c_str(), &before) == 0);
  CHECK(before.st_mode == (S_IFREG | 0600));
  CHECK(before.st_size == 0);
  CHECK(before.st_uid ==
        (checkout.owner() ? checkout.owner()->uid : geteuid()));
  CHECK_NOTHROW(checkout.lock());
  struct stat after {};
  REQUIRE(lstat(checkout.lock_file().c_str(), &after) == 0);
  CHECK(after.st_ino == before.st_ino);
  CHECK(after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
}

TEST_CASE("a run of root in its own checkout writes nothing there") {
  if (!is_root()) {
    return;
  }
  const Checkout checkout;
  const auto take = [&] { return Lock(Directory(checkout.path()), {}, 0s); };
  Holder holder(checkout, take);
  CHECK(error_of<Error>(take).exit_code() == exit_locked);
  CHECK(fs::is_empty(checkout / ".git"));
}

TEST_CASE("runs of root and of the owner exclude each other") {
  if (!is_root()) {
    return;
  }
  const Checkout checkout;
  const Directory top(checkout.path());  // on whose path he cannot go
  const auto by_owner = [&] {
    become_owner(checkout);
    return Lock(top, std::nullopt, 0s);
  };
  const auto by_root = [&] { return checkout.lock(); };
  for (const auto& [first, second] :
       {std::pair<std::function<Lock()>, std::function<Lock()>>(by_root,
                                                                by_owner),
        std::pair<std::function<Lock()>, std::function<Lock()>>(by_owner,
                                                                by_root)}) {
    Holder holder(checkout, first);
    CHECK(end_of_another_run(second, checkout / "said") == exit_locked);
    CHECK(contains(
        read_file(checkout / "said"),
        "(process " + std::to_string(holder.process().pid()) + ") since 20"));
    fs::remove(checkout / "holder");
    fs::remove(checkout / "said");
  }
}

TEST_CASE("a holder in another PID namespace is not named") {
  if (!is_root()) {
    return;
  }
  const Checkout checkout;
  Holder holder(checkout);
  const auto in_a_namespace = [&]() -> Lock {
    REQUIRE(unshare(CLONE_NEWPID) == 0);
    _exit(
        end_of_another_run([&] { return checkout.lock(); }, checkout / "said"));
  };
  CHECK(end_of_another_run(in_a_namespace, "/dev/null") == exit_locked);
  CHECK(read_file(checkout / "said") ==
        "another run is active in " + checkout.path().string() +
            ": a process that cannot be seen from here holds the lock");
}

TEST_CASE("a run that may wait gets the lock when it is released") {
  const Checkout checkout;
  Fifo to_waiter(checkout / "to_waiter");
  Fifo from_waiter(checkout / "from_waiter");
  Helper waiter([&] {
    to_waiter.wait_for_text("held");
    say(from_waiter, "waiting");
    const Lock lock = checkout.lock(30s);
    say(from_waiter, "got it");
    return 0;
  });
  {
    const Lock lock = checkout.lock();
    say(to_waiter, "held");
    from_waiter.wait_for_text("waiting");
    // It must not get the lock while it is held here: nothing else can end it.
    CHECK_FALSE(waiter.ends_within(300ms));
  }
  CHECK(waiter.wait() == 0);
  from_waiter.wait_for_text("got it");
}

TEST_CASE("who waits in vain is refused as well") {
  const Checkout checkout;
  Holder holder(checkout);
  const auto start = std::chrono::steady_clock::now();
  const auto error = error_of<Error>([&] { checkout.lock(1s); });
  CHECK(error.exit_code() == exit_locked);
  CHECK(std::chrono::steady_clock::now() - start >= 1s);
}

TEST_CASE("a lock that others could open is theirs no more") {
  const Checkout checkout;
  { const Lock lock = checkout.lock(); }
  REQUIRE(chmod(checkout.lock_file().c_str(), 0666) == 0);
  { const Lock lock = checkout.lock(); }
  CHECK(fs::status(checkout.lock_file()).permissions() == fs::perms(0600));
}

TEST_CASE("where .git is a file the lock is below the folder that it names") {
  const Checkout checkout;
  const Folder elsewhere;
  checkout.give(elsewhere.path());
  REQUIRE(chmod(elsewhere.path().c_str(), 0755) == 0);
  fs::rename(checkout / ".git", elsewhere / "git");
  for (const fs::path& named :
       {elsewhere / "git", "../" / elsewhere.path().filename() / "git"}) {
    write_file(checkout / ".git", "gitdir: " + named.string() + "\n");
    Holder holder(checkout);
    CHECK(error_of<Error>([&] { checkout.lock(); }).exit_code() == exit_locked);
    CHECK(fs::remove_all(elsewhere / "git/deployment-update") == 2);
    fs::remove(checkout / "holder");
  }
  write_file(checkout / ".git", "gitdir: /not/there\n");
  CHECK(message_of<Error>([&] { checkout.lock(); }) ==
        "cannot open /not/there, which " + (checkout / ".git").string() +
            " names: No such file or directory");
}

struct Obstacle {
  std::string name = {};
  std::function<void(const fs::path&)> put = {};
  std::string text = {};  // of the error, behind the name of the lock
};

const std::vector<Obstacle> obstacles = {
    {"fifo", [](const fs::path& path) { mkfifo(path.c_str(), 0666); },
     " is not a regular file of user "},
    {"link",
     [](const fs::path& path) { fs::create_symlink("elsewhere", path); },
     ": Too many levels of symbolic links"},
    {"folder", [](const fs::path& path) { fs::create_directories(path / "x"); },
     ": Is a directory"}};

std::string advice_to_remove(const Checkout& checkout, const fs::path& path) {
  return "remove it: " + command_as(checkout.owner()
                                        ? std::optional(checkout.owner()->name)
                                        : std::nullopt,
                                    "rm -rf " + path.string());
}

TEST_CASE("what is in the lock's place is told, and how to remove it") {
  for (const Obstacle& obstacle : obstacles) {
    INFO(obstacle.name);
    const Checkout checkout;
    { const Lock lock = checkout.lock(); }
    const fs::path file = checkout.lock_file();
    fs::remove(file);
    obstacle.put(file);
    checkout.give(file);
    const auto error = error_of<Error>([&] { checkout.lock(); });
    CHECK(error.exit_code() == exit_failed);
    CHECK(contains(error.what(), "the lock " + file.string() + obstacle.text));
    CHECK(error.advice() == advice_to_remove(checkout, file));
    CHECK_FALSE(fs::exists(own_folder(checkout.path()) / "elsewhere"));
    fs::remove_all(file);
    CHECK_NOTHROW(checkout.lock());
  }
}

TEST_CASE("what is in the place of the lock's folder is told") {
  for (const Obstacle& obstacle : obstacles) {
    if (obstacle.name == "folder") {
      continue;
    }
    INFO(obstacle.name);
    const Checkout checkout;
    const fs::path target = checkout / ".git/elsewhere";
    fs::create_directories(target);
    checkout.give(target);
    const fs::path folder = own_folder(checkout.path());
    obstacle.put(folder);
    checkout.give(folder);
    const auto error = error_of<Error>([&] { checkout.lock(); });
    CHECK(contains(error.what(), checkout.lock_file().string()));
    CHECK(error.advice() == advice_to_remove(checkout, folder));
    CHECK(fs::is_empty(target));
    fs::remove_all(folder);
    CHECK_NOTHROW(checkout.lock());
  }
}

TEST_CASE("a lock that belongs to somebody else is refused") {
  if (!is_root()) {
    return;
  }
  for (const mode_t mode : {0600U, 0666U}) {
    const Checkout checkout;
    { const Lock lock = checkout.lock(); }
    const fs::path file = checkout.lock_file();
    REQUIRE(chown(file.c_str(), 0, 0) == 0);
    REQUIRE(chmod(file.c_str(), mode) == 0);
    const auto error = error_of<Error>([&] { checkout.lock(); });
    CHECK(contains(error.what(), "the lock " + file.string()));
    CHECK(error.advice() == advice_to_remove(checkout, file));
  }
}

TEST_CASE("an owner who cannot write in .git is told") {
  if (!is_root()) {
    return;
  }
  const Checkout checkout;
  REQUIRE(chown((checkout / ".git").c_str(), 0, 0) == 0);
  const auto error = error_of<Error>([&] { checkout.lock(); });
  CHECK(std::string(error.what()) == "cannot create " +
                                         own_folder(checkout.path()).string() +
                                         ": Permission denied");
  CHECK(error.advice() ==
        "user daemon must be able to write there; if files of others are in "
        "the way, as root: chown -R daemon " +
            checkout.path().string());
}

TEST_CASE("git's leftover locks are found with their age") {
  const Checkout checkout;
  CHECK(find_git_locks({}, Directory(checkout.path())).empty());
  const auto index = checkout / ".git/index.lock";
  const auto branch = checkout / ".git/refs/heads/prod.lock";
  std::filesystem::create_directories(branch.parent_path());
  write_file(index, "");
  write_file(branch, "");
  write_file(checkout / ".git/refs/heads/other.lock", "");
  std::filesystem::last_write_time(
      index, std::filesystem::file_time_type::clock::now() - 1h - 1min);
  const auto locks = find_git_locks({}, Directory(checkout.path()));
  REQUIRE(locks.size() == 2);
  CHECK(locks[0].path == index);
  CHECK(locks[0].age >= 1h);
  CHECK(locks[0].age < 2h);
  CHECK(locks[0].holder == std::nullopt);
  CHECK(locks[1].path == branch);
  CHECK(locks[1].age < 1min);
}

TEST_CASE("a git that works in the checkout holds its locks") {
  const Checkout checkout;
  const Checkout elsewhere;
  write_file(checkout / ".git/index.lock", "");
  std::filesystem::create_directory(checkout / "part");
  Fifo fifo(checkout / "fifo");
  const auto git_in = [&](const std::filesystem::path& folder) {
    prctl(PR_SET_NAME, "git-merge");
    std::filesystem::current_path(folder);
    say(fifo, "works in " + folder.string());
    pause();
    return 0;
  };
  const auto holder_seen = [&] {
    return find_git_locks({}, Directory(checkout.path())).at(0).holder;
  };
  {
    const Helper git([&] { return git_in(elsewhere.path()); });
    fifo.wait_for_text("works in " + elsewhere.path().string());
    CHECK(holder_seen() == std::nullopt);
  }
  const Helper git([&] { return git_in(checkout / "part"); });
  fifo.wait_for_text("works in " + (checkout / "part").string());
  CHECK(holder_seen() == git.pid());
}

}  // namespace
}  // namespace deployment
