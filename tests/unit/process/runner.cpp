#include "lib/process/runner.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sstream>

#include "lib/base/directory.hpp"
#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/watchdog.hpp"
#include "tests/unit/processes.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

Log& test_log() {
  static Log log(stderr, Log::Target::plain, false);
  return log;
}

Command command(const std::string& program, Lines arguments = {}) {
  return {.purpose = "testing",
          .program = program,
          .arguments = std::move(arguments),
          .context = {.directory = "/",
                      .variables = {{"PATH", "/usr/bin:/bin"}},
                      .timeout = 60s}};
}

Command shell(const std::string& script) {
  return command("sh", {"-c", script});
}

CommandResult run(const Command& command) {
  return ProcessRunner(test_log()).run(command);
}

// Measures how long something takes.
class Stopwatch {
 public:
  std::chrono::steady_clock::duration elapsed() const {
    return std::chrono::steady_clock::now() - start_;
  }

 private:
  std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
};

// Reaps what is there, so that one failure is not told twice.
bool has_no_child() {
  bool none = true;
  while (waitpid(-1, nullptr, WNOHANG) >= 0) {
    none = false;
  }
  return none;
}

TEST_CASE("both streams and the exit code come back") {
  const CommandResult result = run(shell("echo out; echo err >&2; exit 3"));
  CHECK(result.out == "out\n");
  CHECK(result.err == "err\n");
  CHECK(result.status.code == 3);
  CHECK(result.status.signal == 0);
  CHECK_FALSE(result.status.timed_out);
  CHECK(run(shell("exit 0")).status.success());
  CHECK(run(shell("exit 255")).status.code == 255);
  CHECK(has_no_child());
}

TEST_CASE("a signal is told from an exit code") {
  for (const int signal : {SIGKILL, SIGTERM, SIGSEGV, SIGPIPE}) {
    const CommandResult result =
        run(shell("ulimit -c 0; kill -" + std::to_string(signal) + " $$"));
    CHECK(result.status.signal == signal);
    CHECK(result.status.code == 0);
  }
  CHECK(run(shell("exit 137")).status.signal == 0);
}

TEST_CASE("two megabytes on both streams at once do not block") {
  constexpr std::size_t size = 2 << 20;
  const CommandResult result =
      run(shell("head -c 2097152 /dev/zero | tr '\\0' o & "
                "head -c 2097152 /dev/zero | tr '\\0' e >&2; wait"));
  CHECK(result.status.success());
  CHECK((result.out == std::string(size, 'o')));
  CHECK(result.err.size() >= 65536);
  CHECK((result.err == std::string(result.err.size(), 'e')));
}

TEST_CASE("an answer that is too long is a failure, and is not kept") {
  const Command endless = shell("head -c 50000000 /dev/zero");
  const CommandResult result = run(endless);
  CHECK_FALSE(result.status.success());
  CHECK(result.out.empty());
  CHECK(describe(result.status, endless) ==
        "printed 50000000 bytes, more than 4 MiB");
}

TEST_CASE("an answer of the greatest length is kept") {
  Command exact = shell("head -c 100000 /dev/zero | tr '\\0' x");
  exact.context.longest_answer = 100'000;
  CHECK((run(exact).out == std::string(100'000, 'x')));
  exact.context.longest_answer = 99'999;
  const CommandResult result = run(exact);
  CHECK(result.out.empty());
  CHECK(result.status.dropped == 100'000);
}

TEST_CASE("of standard error only the end is kept") {
  const CommandResult result =
      run(shell("head -c 50000000 /dev/zero >&2; echo the end >&2"));
  CHECK(result.status.success());
  CHECK(result.err.ends_with("the end\n"));
  CHECK(result.err.size() < 200'000);
  CHECK(result.err.size() + result.err_dropped == 50'000'008);
}

TEST_CASE("a child that left its group is ended at its deadline") {
  Command runaway =
      command("python3", {"-c",
                          "import os, signal\n"
                          "os.setpgid(0, os.getpgid(os.getppid()))\n"
                          "signal.pause()\n"});
  runaway.context.timeout = 1s;
  const Stopwatch watch;
  const CommandResult result = run(runaway);
  CHECK(result.status.timed_out);
  CHECK(result.status.signal == SIGTERM);
  CHECK(watch.elapsed() < 9s);
  CHECK(has_no_child());
}

TEST_CASE("of shown output every line is shown and the end is kept") {
  int lines = 0;
  Command counting = command("seq", {"200000"});
  counting.context.on_line = [&](std::string_view) { ++lines; };
  const CommandResult result = run(counting);
  CHECK(lines == 200'000);
  CHECK(result.out.ends_with("\n199999\n200000\n"));
  CHECK(result.out.size() < 300'000);
  CHECK(result.out.size() + result.out_dropped == 1'288'895);
}

TEST_CASE("lines of both streams are shown, the last without newline too") {
  Lines lines;
  Command printing = shell("printf 'a\\n\\nb'; exec >&-; printf 'c\\nd' >&2");
  printing.context.on_line = [&](std::string_view line) {
    lines.emplace_back(line);
  };
  run(printing);
  std::sort(lines.begin(), lines.end());
  CHECK(lines == Lines{"", "a", "b", "c", "d"});
}

TEST_CASE("a line without end is shown in pieces") {
  std::string shown;
  std::size_t longest = 0;
  Command endless = shell("head -c 100000 /dev/zero | tr '\\0' x");
  endless.context.on_line = [&](std::string_view line) {
    shown += line;
    longest = std::max(longest, line.size());
  };
  run(endless);
  CHECK((shown == std::string(100'000, 'x')));
  CHECK(longest < 100'000);
}

TEST_CASE("a line is shown when it comes, not when the command ends") {
  const Folder folder;
  const std::string go = folder / "go";
  REQUIRE(mkfifo(go.c_str(), 0600) == 0);
  Command waiting = shell("echo first; cat '" + go + "'");
  Lines lines;
  waiting.context.on_line = [&](std::string_view line) {
    lines.emplace_back(line);
    if (line == "first") {
      write_file(go, "second\n");
    }
  };
  CHECK(run(waiting).status.success());
  CHECK(lines == Lines{"first", "second"});
}

TEST_CASE("a missing program is an error that names it and PATH") {
  const auto error =
      error_of<Error>([] { run(command("no-such-program", {"--x"})); });
  CHECK(error.what() == std::string("testing failed: no-such-program --x: "
                                    "command not found"));
  CHECK(error.advice() ==
        "install no-such-program or extend PATH, which is /usr/bin:/bin");
  CHECK(has_no_child());
}

TEST_CASE("a program that cannot be executed is an error") {
  const Folder folder;
  const std::string path = folder / "program";
  CHECK(contains(message_of<Error>([&] { run(command(path)); }),
                 "No such file or directory"));
  write_file(path, "#!/no/such/interpreter\n");
  CHECK(contains(message_of<Error>([&] { run(command(path)); }),
                 "Permission denied"));
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  CHECK(contains(message_of<Error>([&] { run(command(path)); }),
                 "No such file or directory"));
  CHECK(has_no_child());
}

TEST_CASE("a missing directory is an error, and nothing runs elsewhere") {
  const Folder folder;
  Command touch = command("touch", {"../marker"});
  touch.context.directory = folder / "missing";
  CHECK(message_of<Error>([&] { run(touch); }) ==
        "testing failed: touch ../marker in " +
            touch.context.directory.string() +
            ": cannot enter its directory: No such file or directory");
  CHECK_FALSE(std::filesystem::exists("../marker"));
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK(has_no_child());
}

TEST_CASE("a command runs in its directory") {
  const Folder folder;
  Command pwd = command("pwd");
  pwd.context.directory = folder.path();
  CHECK(run(pwd).out ==
        std::filesystem::canonical(folder.path()).string() + "\n");
}

TEST_CASE("arguments reach the program as they are, past no shell") {
  CHECK(run(command("printf",
                    {"[%s]", "$HOME", "*", "a b", ";", "", "'\"`", "\n", "tä"}))
            .out == "[$HOME][*][a b][;][]['\"`][\n][tä]");
}

TEST_CASE("the variables are those named, and nothing of ours") {
  const Variable leak("LEAK", "1");
  Command env = command("env");
  env.context.variables = {
      {"PATH", "/usr/bin:/bin"}, {"A", "b=c\nd"}, {"E", ""}};
  std::string out = run(env).out;
  CHECK(contains(out, "PATH=/usr/bin:/bin\n"));
  CHECK(contains(out, "A=b=c\nd\n"));
  CHECK(contains(out, "E=\n"));
  CHECK(std::count(out.begin(), out.end(), '\n') == 4);
}

TEST_CASE("a program is looked up in the command's own PATH") {
  const Folder folder;
  write_file(folder / "tool", "#!/bin/sh\necho mine\n");
  std::filesystem::permissions(folder / "tool",
                               std::filesystem::perms::owner_all);
  Command tool = command("tool");
  tool.context.variables = {{"PATH", folder.path().string() + ":/usr/bin"}};
  CHECK(run(tool).out == "mine\n");
}

TEST_CASE("no descriptor of ours reaches a child") {
  const Descriptor leak(
      fcntl(STDERR_FILENO, F_DUPFD, 77));  // without FD_CLOEXEC
  REQUIRE(leak.get() >= 77);
  // The fourth is the one that ls reads the folder through.
  CHECK(run(command("ls", {"/proc/self/fd"})).out == "0\n1\n2\n3\n");
}

TEST_CASE("standard input is /dev/null, whatever it is here") {
  const Descriptor before(dup(STDIN_FILENO));
  const Folder folder;
  Fifo fifo(folder / "fifo");
  const Descriptor other(open(fifo.path().c_str(), O_RDONLY | O_NONBLOCK));
  REQUIRE(dup2(other.get(), STDIN_FILENO) == STDIN_FILENO);
  const std::string out = run(command("readlink", {"/proc/self/fd/0"})).out;
  dup2(before.get(), STDIN_FILENO);
  CHECK(out == "/dev/null\n");
}

TEST_CASE("a command reads what it is given, from the beginning to the end") {
  for (const std::size_t size : {std::size_t(1), std::size_t(3 << 20)}) {
    Command reader = shell("cat; echo; wc -c");
    reader.input = std::string(size, 'x');
    reader.context.longest_answer = 4 << 20;
    CHECK(run(reader).out == reader.input + "\n0\n");
  }
}

TEST_CASE("a command may leave its input unread") {
  Command deaf = shell("exit 0");
  deaf.input = std::string(1 << 20, 'x');
  CHECK(run(deaf).status.success());
}

TEST_CASE("a child leads a process group of its own") {
  // proc(5): pid, name, state, parent, group
  std::istringstream fields(run(command("cat", {"/proc/self/stat"})).out);
  std::string pid, name, state, parent, group;
  fields >> pid >> name >> state >> parent >> group;
  CHECK(parent == std::to_string(getpid()));
  CHECK(group == pid);
}

TEST_CASE("a child starts with no signal blocked and SIGPIPE not ignored") {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  const auto sigpipe_before = std::signal(SIGPIPE, SIG_IGN);
  const std::string out =
      run(command("grep", {"-E", "^Sig(Blk|Ign):", "/proc/self/status"})).out;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  std::signal(SIGPIPE, sigpipe_before);

  std::istringstream lines(out);
  std::string name;
  unsigned long long mask = 0;
  lines >> name >> std::hex >> mask;
  CHECK(name == "SigBlk:");
  CHECK(mask == 0);
  lines >> name >> std::hex >> mask;
  CHECK(name == "SigIgn:");
  CHECK((mask >> (SIGPIPE - 1) & 1U) == 0);
}

TEST_CASE("root can run a command as somebody else, for good") {
  if (!is_root()) {
    return;
  }
  const User nobody = find_user("nobody");
  std::vector<gid_t> groups_before(
      static_cast<std::size_t>(getgroups(0, nullptr)));
  getgroups(static_cast<int>(groups_before.size()), groups_before.data());
  const gid_t of_ours = 4242;
  REQUIRE(setgroups(1, &of_ours) == 0);
  Command whoami = shell(
      "id -u; id -g; id -G; grep -E '^(Uid|Gid|CapEff):' /proc/self/status");
  whoami.context.user = nobody;
  const std::string uid = std::to_string(nobody.uid);
  const std::string gid = std::to_string(nobody.gid);
  const auto four = [](const std::string& id) {
    return "\t" + id + "\t" + id + "\t" + id + "\t" + id + "\n";
  };
  const std::string out = run(whoami).out;
  setgroups(groups_before.size(), groups_before.data());
  CHECK(out == uid + "\n" + gid + "\n" + gid + "\nUid:" + four(uid) +
                   "Gid:" + four(gid) + "CapEff:\t0000000000000000\n");
}

TEST_CASE("somebody else enters only directories that are open to him") {
  if (!is_root()) {
    return;
  }
  const Folder folder;  // mode 0700
  Command touch = command("touch", {"marker"});
  touch.context.user = find_user("nobody");
  touch.context.directory = folder.path();
  CHECK(contains(message_of<Error>([&] { run(touch); }), "Permission denied"));
}

TEST_CASE("at the deadline the group is asked to end") {
  Command slow = shell("sleep 1000 & sleep 1000");
  slow.context.timeout = 100ms;
  const Stopwatch watch;
  const CommandResult result = run(slow);
  CHECK(result.status.timed_out);
  CHECK(result.status.signal == SIGTERM);
  CHECK(watch.elapsed() >= 100ms);
  CHECK(watch.elapsed() < ProcessRunner::grace);
  CHECK(has_no_child());
}

TEST_CASE("a late end is no success, whatever the exit code") {
  Command late = shell("trap 'exit 0' TERM; sleep 1000 & wait");
  late.context.timeout = 500ms;
  const CommandResult result = run(late);
  CHECK(result.status.timed_out);
  CHECK_FALSE(result.status.success());
}

TEST_CASE("who ignores SIGTERM is killed after the grace, grandchildren too") {
  const Folder folder;
  Fifo fifo(folder / "fifo");
  Command stubborn = shell("trap '' TERM; exec 3>'" + fifo.path() +
                           "'; (sleep 1000; true) & sleep 1000; true");
  stubborn.context.timeout = 2s;
  const auto killed_after = stubborn.context.timeout + ProcessRunner::grace;
  const Stopwatch watch;
  const CommandResult result = run(stubborn);
  CHECK(result.status.timed_out);
  CHECK(result.status.signal == SIGKILL);
  CHECK(watch.elapsed() >= killed_after);
  CHECK(watch.elapsed() < killed_after + 5s);  // it is not given up, but killed
  fifo.wait_for_end();
}

TEST_CASE("to wait for a command is a sign of life") {
  Helper runner([] {
    const Watchdog watchdog(3s, "it hangs\n");
    return run(shell("sleep 5; exit 7")).status.code;
  });
  CHECK(runner.wait() == 7);
}

// Runs `commands` as a process of its own that has a watchdog. Returns 0 when
// each timed out and was killed, and `not_ended` of them did not end.
int run_to_the_kill(const std::vector<Command>& commands, long not_ended) {
  setsid();  // a child without a terminal leads no session
  const Watchdog watchdog(4s, "it hangs\n");
  TextLog log;
  const auto results = ProcessRunner(log.log).run_all(commands);
  const bool killed =
      std::ranges::all_of(results, [](const CommandResult& result) {
        return result.status.timed_out && result.status.signal == SIGKILL;
      });
  const std::string text = log.text();
  const auto told =
      std::ranges::count_if(split(text, '\n'), [](std::string_view line) {
        return contains(line, "does not end, though it was killed");
      });
  return killed && told == not_ended ? 0 : 1;
}

TEST_CASE("a command that SIGKILL does not end is given up") {
  const Folder folder;
  Fifo stopped(folder / "stopped");
  Fifo zombie(folder / "zombie");
  Helper runner([&] {
    std::vector<Command> commands;
    for (const Fifo* fifo : {&stopped, &zombie}) {
      commands.push_back(shell("trap '' TERM; echo \"$$ \" >'" + fifo->path() +
                               "'; exec sleep 1000"));
      commands.back().context.timeout = 1s;
    }
    return run_to_the_kill(commands, 2);
  });
  // Whoever traces it holds it back on its way out, or as a zombie.
  const auto trace = [](Fifo& fifo, long options) {
    fifo.wait_for_text(" ");
    const pid_t pid = std::stoi(fifo.text());
    REQUIRE(ptrace(PTRACE_SEIZE, pid, nullptr, options) == 0);
    return pid;
  };
  const pid_t held = trace(stopped, PTRACE_O_TRACEEXIT);
  const pid_t ended = trace(zombie, 0);
  CHECK(runner.wait() == 0);
  for (const pid_t pid : {held, ended}) {
    CHECK(kill(pid, 0) == 0);
    CHECK(waitpid(pid, nullptr, __WALL) == pid);
  }
  CHECK(ptrace(PTRACE_DETACH, held, nullptr, nullptr) == 0);
}

TEST_CASE("a command that leaves its group again and again is ended") {
  Command toggling = command("python3", {"-c", R"(
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: None)
end, held = os.pipe()
other = os.fork()
if other == 0:
    os.setpgid(0, 0)
    for fd in (1, 2, held):
        os.close(fd)
    os.read(end, 1)
    os._exit(0)
while os.getpgid(other) != other:
    pass
signal.pause()
time.sleep(9.9)
until = time.monotonic() + 0.3
while time.monotonic() < until:
    for _ in range(10000):
        os.setpgid(0, other)
        os.setpgid(0, 0)
signal.pause()
)"});
  std::vector<Command> commands;
  for (int i = 0; i < 16; ++i) {  // one after the other: each has a processor
    toggling.context.timeout = 3s + i * 250ms;
    commands.push_back(toggling);
  }
  Helper runner([&] { return run_to_the_kill(commands, 0); });
  CHECK(runner.wait() == 0);
}

TEST_CASE("what a child leaves in its group is killed") {
  const Folder folder;
  Fifo fifo(folder / "fifo");
  const CommandResult result =
      run(shell("exec 3>'" + fifo.path() +
                "'; (trap '' TERM; exec sleep 1000) & echo done"));
  CHECK(result.status.success());
  CHECK(result.out == "done\n");
  fifo.wait_for_end();
}

TEST_CASE("who left the group cannot hold the run by its pipes") {
  const Folder folder;
  const std::string gone = folder / "gone";
  REQUIRE(mkfifo(gone.c_str(), 0600) == 0);
  const Stopwatch watch;
  // The child ends only when the grandchild has left its group.
  const CommandResult result =
      run(shell("setsid sh -c 'echo $$; echo gone >\"" + gone +
                "\"; exec sleep 1000' & cat '" + gone + "'"));
  std::istringstream words(result.out);
  pid_t left = 0;
  words >> left;
  REQUIRE(left > 0);
  CHECK(kill(left, SIGKILL) == 0);
  CHECK(result.status.success());
  CHECK(contains(result.out, "gone\n"));
  CHECK(watch.elapsed() < ProcessRunner::drain + 5s);
}

TEST_CASE("commands run at the same time; results keep their order") {
  const Folder folder;
  const std::string one = folder / "one";
  const std::string two = folder / "two";
  REQUIRE(mkfifo(one.c_str(), 0600) == 0);
  REQUIRE(mkfifo(two.c_str(), 0600) == 0);
  // Each waits for the other; the first ends last.
  const Command commands[] = {
      shell("echo to-second >'" + one + "'; cat '" + two + "'"),
      shell("cat '" + one + "'; echo to-first >'" + two + "'")};
  const auto results = ProcessRunner(test_log()).run_all(commands);
  REQUIRE(results.size() == 2);
  CHECK(results[0].out == "to-first\n");
  CHECK(results[1].out == "to-second\n");
}

TEST_CASE("when one cannot be started none is left running") {
  const Command commands[] = {command("sleep", {"1000"}),
                              command("no-such-program")};
  CHECK_THROWS_AS(ProcessRunner(test_log()).run_all(commands), Error);
  CHECK(has_no_child());
}

TEST_CASE("the commands of a sequence run in order, until one fails") {
  const Folder folder;
  const auto say = [&](const std::string& word, int code) {
    Command command =
        shell("echo " + word + " >>said; exit " + std::to_string(code));
    command.context.directory = folder.path();
    return command;
  };
  const Sequence sequences[] = {{say("one", 0), say("two", 3), say("three", 0)},
                                {}};
  const auto results = ProcessRunner(test_log()).run_sequences(sequences);
  REQUIRE(results.size() == 2);
  REQUIRE(results[0].size() == 2);
  CHECK(results[0][0].status.success());
  CHECK(results[0][1].status.code == 3);
  CHECK(results[1].empty());
  CHECK(read_file(folder / "said") == "one\ntwo\n");
}

TEST_CASE("a sequence goes on behind a command that may fail") {
  Sequence sequence = {shell("exit 3"), shell("echo done"), shell("exit 4"),
                       shell("echo not run")};
  sequence[0].may_fail = true;
  const auto results =
      ProcessRunner(test_log()).run_sequences({&sequence, 1}).front();
  REQUIRE(results.size() == 3);
  CHECK(results[0].status.code == 3);
  CHECK(results[1].out == "done\n");
  CHECK(results[2].status.code == 4);
}

TEST_CASE("sequences run at the same time, each at its own pace") {
  const Folder folder;
  const std::string fifo = folder / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  // The first one's second command waits for the second one's third.
  const Sequence sequences[] = {
      {shell("true"), shell("cat '" + fifo + "'")},
      {shell("true"), shell("true"), shell("echo met >'" + fifo + "'")}};
  const auto results = ProcessRunner(test_log()).run_sequences(sequences);
  CHECK(results.at(0).at(1).out == "met\n");
}

// As on a host of systemd's, where mounts are shared by default (systemd(1)).
bool share_mounts() {
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) == 0;
}

TEST_CASE("a mount is seen by its command and by nobody else") {
  const Folder folder;
  for (const char* name : {"real", "shown", "kept"}) {
    std::filesystem::create_directory(folder / name);
  }
  write_file(folder / "shown/file", "shown");
  Helper helper([&] {
    if (!share_mounts()) {
      return 77;
    }
    Command command = shell(
        "cat real/file; echo new >real/new; "
        "echo new >kept/new || echo read-only");
    command.context.directory = folder.path();
    command.context.top = std::make_shared<Directory>(folder.path());
    command.context.mounts = {
        {.source = folder / "shown", .target = folder / "real"},
        {.source = folder / "kept",
         .target = folder / "kept",
         .read_only = true}};
    write_file(folder / "out", run(command).out);
    return std::filesystem::is_empty(folder / "real") ? 0 : 1;
  });
  const int code = helper.wait();
  if (code == 77) {
    WARN("there is no mount namespace to be had");
    return;
  }
  CHECK(code == 0);
  CHECK(read_file(folder / "out") == "shownread-only\n");
  CHECK(read_file(folder / "shown/new") == "new\n");
  CHECK(std::filesystem::is_empty(folder / "kept"));
}

TEST_CASE("a program is looked for where the mounts of its command show it") {
  const Folder folder;
  for (const std::string name : {"bin/old", "next/new"}) {
    write_file(folder / name, "#!/bin/sh\necho " + name + "\n");
    std::filesystem::permissions(folder / name,
                                 std::filesystem::perms::owner_all);
  }
  Helper helper([&] {
    if (!share_mounts()) {
      return 77;
    }
    Command shown = command("new");
    shown.context.directory = folder.path();
    shown.context.top = std::make_shared<Directory>(folder.path());
    shown.context.variables = {
        {"PATH", (folder / "bin").string() + ":/usr/bin:/bin"}};
    shown.context.mounts = {
        {.source = folder / "next", .target = folder / "bin"}};
    write_file(folder / "out", run(shown).out);
    shown.program = "old";
    write_file(folder / "error", message_of<Error>([&] { run(shown); }));
    return 0;
  });
  const int code = helper.wait();
  if (code == 77) {
    WARN("there is no mount namespace to be had");
    return;
  }
  CHECK(code == 0);
  CHECK(read_file(folder / "out") == "next/new\n");
  CHECK(read_file(folder / "error") ==
        "testing failed: old: command not found");
}

// Runs `true` with a mount, as a process of its own, since the mounts of a host
// may not be shared.
std::string refusal_of(const Folder& folder, const Mount& mount) {
  Command command = shell("true");
  command.context.directory = folder.path();
  command.context.top = std::make_shared<Directory>(folder.path());
  command.context.mounts = {mount};
  return message_of<Error>([&] { run(command); });
}

TEST_CASE("only what belongs to a checkout is mounted, and only there") {
  if (!is_root()) {
    return;
  }
  const Folder folder;
  const Folder outside;
  for (const char* name : {"real", "theirs"}) {
    std::filesystem::create_directory(folder / name);
  }
  std::filesystem::create_directory_symlink(outside.path(), folder / "link");
  write_file(folder / "file", "");
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  REQUIRE(chown((folder / "theirs").c_str(), 1, 1) == 0);
  const auto refused = [&](const std::string& source,
                           const std::string& target) {
    INFO(source << " at " << target);
    CHECK(contains(refusal_of(folder, {.source = folder / source,
                                       .target = folder / target}),
                   ": cannot bind its mounts: "));
  };
  refused("link", "real");
  refused("real", "link");
  refused("../", "real");
  refused("file", "real");
  refused("real", "file");
  refused("fifo", "fifo");
  refused("theirs", "real");
  refused("real", "theirs");
  refused("missing", "real");
}

TEST_CASE("a command starts in the open folder, whatever its path leads to") {
  const Folder folder;
  write_file(folder / "app/web/name", "mine");
  Command command = shell("cat name");
  command.context.directory = folder / "app/web";
  command.context.top = std::make_shared<Directory>(folder / "app");
  std::filesystem::rename(folder / "app", folder / "old");
  write_file(folder / "app/web/name", "exchanged");
  CHECK(run(command).out == "mine");
}

// Becomes run-command with a shell that runs `script`.
int run_by_itself(const std::string& script) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execl(RUN_COMMAND, RUN_COMMAND, "sh", "-c", script.c_str(), nullptr);
  return 98;
}

// Gives this process a session with a controlling terminal.
bool take_terminal() {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  return setsid() >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0 &&
         open(ptsname(terminal), O_RDWR) >= 0 && open("/dev/tty", O_RDWR) >= 0;
}

TEST_CASE("a child cannot ask a person at the terminal") {
  Helper runner([] {
    return take_terminal() ? run_by_itself(
                                 "if (: </dev/tty) 2>&-; then exit 1; else "
                                 "exit 7; fi")
                           : 97;
  });
  CHECK(runner.wait() == 7);
}

TEST_CASE("SIGTERM ends the command's group and then the run") {
  const Folder folder;
  Fifo fifo(folder / "fifo");
  Helper runner([&] {
    return run_by_itself("exec 3>'" + fifo.path() +
                         "'; sleep 1000 & echo ready >&3; sleep 1000");
  });
  fifo.wait_for_text("ready");
  runner.kill(SIGTERM);
  CHECK(runner.wait() == 128 + SIGTERM);
  fifo.wait_for_end();
}

TEST_CASE("a command does not outlive a run that is killed") {
  const Folder folder;
  Fifo fifo(folder / "fifo");
  Helper runner([&] {
    return run_by_itself("exec 3>'" + fifo.path() +
                         "'; echo ready >&3; exec sleep 1000");
  });
  fifo.wait_for_text("ready");
  runner.kill(SIGKILL);
  CHECK(runner.wait() == 128 + SIGKILL);
  fifo.wait_for_end();
}

TEST_CASE("a signal from the very start of a command is not lost") {
  Helper runner(
      [] { return run_by_itself("kill -INT $PPID; exec sleep 1000"); });
  CHECK(runner.wait() == 128 + SIGINT);
}

TEST_CASE("a signal that was ignored stays ignored") {
  Helper runner([] {
    std::signal(SIGHUP, SIG_IGN);
    return run_by_itself("kill -HUP $PPID; exit 7");
  });
  CHECK(runner.wait() == 7);
}

}  // namespace
}  // namespace deployment
