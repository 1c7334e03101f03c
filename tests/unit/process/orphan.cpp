#include "lib/process/orphan.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <list>
#include <string>

#include "tests/unit/processes.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

const std::string mark = "DEPLOYMENT_UPDATE_CHECKOUT";

TEST_CASE("the mark is one variable more, which names the checkout") {
  const Variables before = {{"HOME", "/home/ubuntu"}};
  Variables expected = before;
  expected[mark] = "/app";
  CHECK(marked(before, "/app") == expected);
  expected[mark] = "/other";
  CHECK(marked(marked(before, "/app"), "/other") == expected);
}

TEST_CASE("ends a process that a run left behind, and its child") {
  const Folder checkout;
  Family left(checkout / "pipe", marked({}, checkout.path()));
  CHECK(left.parent_lives());
  CHECK(end_orphans(checkout.path()) == 2);
  CHECK_FALSE(left.parent_lives());
  left.wait_for_end();
  CHECK(end_orphans(checkout.path()) == 0);
}

TEST_CASE("leaves processes alone that no run in this checkout started") {
  const Folder folder;
  const std::string checkout = folder / "app";
  const Variables others[] = {{},
                              marked({}, checkout + "2"),
                              marked({}, folder.path()),
                              marked({}, checkout + "/web"),
                              {{"X_" + mark, checkout}},
                              {{"X", mark + "=" + checkout}}};
  int number = 0;
  for (const Variables& variables : others) {
    INFO(number);
    const Family family(folder / std::to_string(++number), variables);
    CHECK(end_orphans(checkout) == 0);
    CHECK(family.parent_lives());
  }
}

TEST_CASE("ends those of one checkout and not those of another") {
  const Folder folder;
  Family here(folder / "here", marked({}, folder / "app"));
  const Family there(folder / "there", marked({}, folder / "app2"));
  CHECK(end_orphans(folder / "app") == 2);
  here.wait_for_end();
  CHECK(there.parent_lives());
}

TEST_CASE("the process that looks for others is left alone") {
  const Folder checkout;
  Family left(checkout / "pipe", marked({}, checkout.path()));
  Helper looking([&] {
    set_variables(marked({}, checkout.path()));
    execl(END_ORPHANS, END_ORPHANS, checkout.path().c_str(), nullptr);
    return 98;
  });
  CHECK(looking.wait() == 2);
  left.wait_for_end();
}

// Becomes a program of these users that has `variables`, and says so on `fifo`
// until that is full.
int live_as(uid_t real, uid_t effective, const Variables& variables,
            const Fifo& fifo) {
  set_variables(variables);
  const int fd = open(fifo.path().c_str(), O_WRONLY);
  if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
      setresuid(real, effective, effective) != 0) {
    return 97;
  }
  execl("/usr/bin/yes", "yes", "lives", nullptr);
  return 98;
}

TEST_CASE("leaves a stranger's processes alone, set-user-ID ones too") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  const uid_t nobody = find_user("nobody").uid;
  for (const uid_t effective : {nobody, uid_t{0}}) {
    INFO(effective);
    Fifo fifo(checkout / std::to_string(effective));
    const Helper stranger([&] {
      return live_as(nobody, effective, marked({}, checkout.path()), fifo);
    });
    fifo.wait_for_text("lives");
    CHECK(end_orphans(checkout.path()) == 0);
    CHECK_FALSE(stranger.ends_within(0ms));
  }
}

// Starts processes for ever that have `variables` and stay, and has 32 of them
// at most.
[[noreturn]] void breed(const Variables& variables) {
  set_variables(variables);
  const pid_t parent = getpid();
  for (int alive = 0;;) {
    const pid_t pid = alive < 32 ? vfork() : -1;
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) {  // it ended before that
        _exit(98);
      }
      execl("/bin/sleep", "sleep", "60", nullptr);
      _exit(98);
    }
    alive += pid > 0 ? 1 : 0;
    while (waitpid(-1, nullptr, alive < 32 ? WNOHANG : 0) > 0) {
      --alive;
    }
  }
}

TEST_CASE("gives up when somebody always starts more") {
  const Folder checkout;
  // Several, so that a look seldom comes at a moment at which there is none.
  std::list<Helper> breeders;
  for (int i = 0; i < 4; ++i) {
    breeders.emplace_back([&]() -> int { breed(marked({}, checkout.path())); });
  }
  Helper looking([&] {
    for (;;) {
      try {
        end_orphans(checkout.path(), 50ms);
      } catch (const Error& error) {
        return contains(error.what(), "start others") ? 0 : 98;
      }
    }
  });
  CHECK(looking.wait() == 0);
}

TEST_CASE("leaves processes alone into which it may not look") {
  if (!is_root()) {
    return;
  }
  const Folder checkout;
  const Family left(checkout / "pipe", marked({}, checkout.path()));
  {
    const ActingAs user(find_user("nobody"));
    CHECK(end_orphans(checkout.path()) == 0);
  }
  CHECK(left.parent_lives());
  CHECK(end_orphans(checkout.path()) == 2);
}

}  // namespace
}  // namespace deployment
