#include "lib/process/launch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>  // before Boost.Asio 1.74, which forgets it

// Boost asks _XOPEN_SOURCE whether there is a vfork(2), and misses glibc's.
#define BOOST_POSIX_HAS_VFORK 1

// From Boost 1.86 on version 1 lives in a folder and namespace of its own.
#if __has_include(<boost/process/v1/child.hpp>)
#include <boost/process/v1/args.hpp>
#include <boost/process/v1/child.hpp>
#include <boost/process/v1/exe.hpp>
#include <boost/process/v1/extend.hpp>
#include <boost/process/v1/io.hpp>
#include <boost/process/v1/posix.hpp>
namespace bp = boost::process::v1;
#else
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <boost/process/posix.hpp>
namespace bp = boost::process;
#endif

#include "lib/base/text.hpp"

namespace deployment {
namespace {

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) {
    throw_errno("create a pipe");
  }
  return {Descriptor(fds[0]), Descriptor(fds[1])};
}

std::string find_program(const Command& command) {
  if (command.program.find('/') != std::string::npos) {
    return command.program;
  }
  const Variables& variables = command.context.variables;
  const auto path = variables.find("PATH");
  const std::string folders = path == variables.end() ? "" : path->second;
  for (const std::string_view folder : split(folders, ':')) {
    std::string candidate = fmt::format("{}/{}", folder, command.program);
    if (::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  throw Error(fmt::format("{} failed: {}: command not found", command.purpose,
                          describe(command)),
              fmt::format("install {} or extend PATH, which is {}",
                          command.program, folders));
}

// The step that a child between fork and exec could not take. It is sent in one
// write, which a pipe keeps in one piece (pipe(7), PIPE_BUF).
struct SetupFailure {
  int error = 0;
  std::array<char, 28> action{};
};

[[noreturn]] void report_and_exit(int fd, const char* action) {
  SetupFailure failure;
  failure.error = errno;
  std::strncpy(failure.action.data(), action, failure.action.size() - 1);
  [[maybe_unused]] const ssize_t ignored =
      ::write(fd, &failure, sizeof(failure));
  _exit(127);
}

bool show_at(const Mount& bind) {
  const char* const target = bind.target.c_str();
  return mount(bind.source.c_str(), target, nullptr, MS_BIND | MS_REC,
               nullptr) == 0 &&
         (!bind.read_only ||
          mount(nullptr, target, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY,
                nullptr) == 0);
}

bool has_controlling_terminal() {
  static const bool has =
      Descriptor(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)).is_open();
  return has;
}

// Runs in the child, where a failure must stop everything: exec after a failed
// setuid would run the program as root. The child of vfork(2) borrows this
// process's memory until exec, so nothing is allocated here.
void prepare_child(const Context& context, pid_t parent, bool has_terminal,
                   int report) {
  const auto require = [report](bool done, const char* action) {
    if (!done) {
      report_and_exit(report, action);
    }
  };
  require(has_terminal ? setsid() >= 0 : setpgid(0, 0) == 0,
          "start a process group");
  if (!context.mounts.empty()) {
    require(unshare(CLONE_NEWNS) == 0, "leave the mount namespace");
    require(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
            "keep mounts private");
    for (const Mount& bind : context.mounts) {
      require(show_at(bind), "bind a mount");
    }
  }
  require(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0, "close files");
  if (context.user) {
    const User& user = *context.user;
    require(setgroups(user.groups.size(), user.groups.data()) == 0,
            "set the groups");
    require(setgid(user.gid) == 0, "set the group");
    require(setuid(user.uid) == 0, "set the user");
  }
  require(
      !context.no_new_privileges || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0,
      "give up new privileges");
  require(chdir(context.directory.c_str()) == 0, "enter the directory");
  require(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "tie to the parent");
  if (getppid() != parent) {
    _exit(127);
  }
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// For a child that ended before it became the command's program.
void reap(pid_t pid) {
  if (pid > 0) {
    waitpid(pid, nullptr, 0);
  }
}

void throw_if_setup_failed(const Command& command, pid_t pid, int fd) {
  SetupFailure failure;
  if (::read(fd, &failure, sizeof(failure)) == sizeof(failure)) {
    reap(pid);
    throw Error(fmt::format("{} failed: {}: cannot {} {}: {}", command.purpose,
                            describe(command), failure.action.data(),
                            command.context.directory.string(),
                            errno_text(failure.error)));
  }
}

// Variables as execve(2) takes them. A bp::environment would be filled in
// quadratic time.
class VariableBlock {
 public:
  explicit VariableBlock(const Variables& variables) {
    for (const auto& [name, value] : variables) {
      entries_.push_back(name + '=' + value);
    }
    for (std::string& entry : entries_) {
      pointers_.push_back(entry.data());
    }
    pointers_.push_back(nullptr);
  }

  char** data() { return pointers_.data(); }

 private:
  std::vector<std::string> entries_;
  std::vector<char*> pointers_;
};

}  // namespace

Launched launch(const Command& command) {
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  Pipe report = make_pipe();
  const std::string program = find_program(command);
  const pid_t parent = getpid();
  const bool has_terminal = has_controlling_terminal();
  const int report_fd = report.write.get();
  VariableBlock variables(command.context.variables);
  std::error_code error;
  bp::child child(
      bp::exe = program, bp::args = command.arguments, bp::std_in < bp::null,
      bp::posix::fd.bind(STDOUT_FILENO, out.write.get()),
      bp::posix::fd.bind(STDERR_FILENO, err.write.get()), bp::posix::use_vfork,
      bp::extend::on_setup =
          [&](auto& executor) { executor.env = variables.data(); },
      bp::extend::on_exec_setup =
          [&](auto&) {
            prepare_child(command.context, parent, has_terminal, report_fd);
          },
      bp::extend::on_error = [](auto& executor, auto&) { reap(executor.pid); },
      error);
  if (error) {
    throw Error(fmt::format("{} failed: cannot run {}: {}", command.purpose,
                            program, error.message()));
  }
  const pid_t pid = child.id();
  child.detach();
  report.write.reset();
  throw_if_setup_failed(command, pid, report.read.get());
  return {pid, std::move(out.read), std::move(err.read)};
}

}  // namespace deployment
