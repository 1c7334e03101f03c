#include "lib/checkout/run_lock.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "lib/base/error.hpp"
#include "lib/checkout/git_locks.hpp"
#include "tests/unit/processes.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

// A checkout as far as a lock is concerned.
class Checkout : public Folder {
 public:
  Checkout() { std::filesystem::create_directories(*this / ".git"); }
};

void say(const Fifo& fifo, const std::string& text) {
  write_file(fifo.path(), text);
}

// Holds the lock of `checkout` until it is killed.
int hold(const Checkout& checkout, const Fifo& fifo) {
  const Lock lock(checkout.path(), 0s);
  say(fifo, "held");
  pause();
  return 0;
}

TEST_CASE("a second run is refused with 75 and told who is at work") {
  const Checkout checkout;
  Fifo fifo(checkout / "fifo");
  const Helper holder([&] { return hold(checkout, fifo); });
  fifo.wait_for_text("held");
  const auto error = error_of<Error>([&] { Lock(checkout.path(), 0s); });
  CHECK(error.exit_code() == exit_locked);
  CHECK(std::string(error.what())
            .starts_with("another run is active in " +
                         checkout.path().string() + ": unit-tests (process " +
                         std::to_string(holder.pid()) + ") since 20"));
  CHECK(contains(error.advice().value_or(""), "--wait"));
}

TEST_CASE("the lock of a run that was killed is free") {
  const Checkout checkout;
  Fifo fifo(checkout / "fifo");
  Helper holder([&] { return hold(checkout, fifo); });
  fifo.wait_for_text("held");
  holder.kill(SIGKILL);
  holder.wait();
  CHECK_NOTHROW(Lock(checkout.path(), 0s));
}

// A run in `checkout` that is killed while it starts a command: its child,
// which still has the lock, ends when `child` is killed.
pid_t leave_lock_to_a_child(const Checkout& checkout) {
  Fifo fifo(checkout / "fifo");
  Helper run([&] {
    const Lock lock(checkout.path(), 0s);
    const pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    write_file(checkout / "child", std::to_string(child));
    say(fifo, "held");
    pause();
    return 0;
  });
  fifo.wait_for_text("held");
  run.kill(SIGKILL);
  run.wait();
  return std::stoi(read_file(checkout / "child"));
}

TEST_CASE("a run that was killed while it started a command is waited for") {
  const Checkout checkout;
  const pid_t child = leave_lock_to_a_child(checkout);
  Helper next([&] {
    const Lock lock(checkout.path(), 0s);
    return 0;
  });
  CHECK_FALSE(next.ends_within(300ms));
  kill(child, SIGKILL);
  CHECK(next.wait() == 0);
}

TEST_CASE("a killed run's child that does not end is told") {
  const Checkout checkout;
  const pid_t child = leave_lock_to_a_child(checkout);
  const auto error = error_of<Error>([&] { Lock(checkout.path(), 0s); });
  kill(child, SIGKILL);
  CHECK(error.exit_code() == exit_locked);
  CHECK(contains(error.what(), ": a command of a run that was killed, or "));
}

TEST_CASE("the lock is free when its life ends, and nothing was written") {
  const Checkout checkout;
  { const Lock lock(checkout.path(), 0s); }
  CHECK_NOTHROW(Lock(checkout.path(), 0s));
  CHECK(std::filesystem::is_empty(checkout / ".git"));
}

TEST_CASE("a run that may wait gets the lock when it is released") {
  const Checkout checkout;
  Fifo to_waiter(checkout / "to_waiter");
  Fifo from_waiter(checkout / "from_waiter");
  Helper waiter([&] {
    to_waiter.wait_for_text("held");
    say(from_waiter, "waiting");
    const Lock lock(checkout.path(), 30s);
    say(from_waiter, "got it");
    return 0;
  });
  {
    const Lock lock(checkout.path(), 0s);
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
  Fifo fifo(checkout / "fifo");
  const Helper holder([&] { return hold(checkout, fifo); });
  fifo.wait_for_text("held");
  const auto start = std::chrono::steady_clock::now();
  const auto error = error_of<Error>([&] { Lock(checkout.path(), 1s); });
  CHECK(error.exit_code() == exit_locked);
  CHECK(std::chrono::steady_clock::now() - start >= 1s);
}

TEST_CASE("a folder that is missing or no checkout is told apart") {
  const Folder folder;
  const auto missing = [&] { require_checkout(folder / "missing"); };
  const auto none = [&] { Lock(folder.path(), 0s); };
  CHECK(message_of<Error>(missing) ==
        "the checkout " + (folder / "missing").string() + " is not there");
  CHECK(contains(error_of<Error>(missing).advice().value_or(""), "--repo-dir"));
  CHECK(message_of<Error>(none) ==
        folder.path().string() + " is not a git checkout: cannot open " +
            (folder / ".git").string() + ": No such file or directory");
  CHECK(error_of<Error>(none).exit_code() == exit_failed);
}

TEST_CASE("git's leftover locks are found with their age") {
  const Checkout checkout;
  CHECK(find_git_locks({.repo_dir = checkout.path()}).empty());
  const auto index = checkout / ".git/index.lock";
  const auto branch = checkout / ".git/refs/heads/prod.lock";
  std::filesystem::create_directories(branch.parent_path());
  write_file(index, "");
  write_file(branch, "");
  write_file(checkout / ".git/refs/heads/other.lock", "");
  std::filesystem::last_write_time(
      index, std::filesystem::file_time_type::clock::now() - 1h);
  const auto locks = find_git_locks({.repo_dir = checkout.path()});
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
    return find_git_locks({.repo_dir = checkout.path()}).at(0).holder;
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
