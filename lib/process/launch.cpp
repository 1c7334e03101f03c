#include "lib/process/launch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "lib/process/places.hpp"
#include "lib/process/variables.hpp"

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

// Returns an open file that holds `text`, to be read from its beginning; not
// open when there is none.
Descriptor file_of(const std::string& text) {
  if (text.empty()) {
    return {};
  }
  Descriptor fd(memfd_create("input", MFD_CLOEXEC));
  const auto size = static_cast<ssize_t>(text.size());
  if (!fd.is_open() ||
      ::pwrite(fd.get(), text.data(), text.size(), 0) != size) {
    throw_errno("keep the input of a process");
  }
  return fd;
}

bool is_a_path(const std::string& program) {
  return program.find('/') != std::string::npos;
}

Error not_found(const Command& command) {
  return Error(
      fmt::format("{} failed: {}: command not found", command.purpose,
                  describe(command)),
      fmt::format("install {} or extend PATH, which is {}", command.program,
                  search_path(command.context.variables)));
}

bool has_controlling_terminal() {
  static const bool has =
      Descriptor(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)).is_open();
  return has;
}

// The calls of the C library would also ask this process's other threads to
// change (nptl(7)), which a child of vfork does not have.
bool become(const User& user) {
  return syscall(SYS_setgroups, user.groups.size(), user.groups.data()) == 0 &&
         syscall(SYS_setgid, user.gid) == 0 &&
         syscall(SYS_setuid, user.uid) == 0;
}

// Gives the child `in` to read, or nothing when it is -1, and `out` and `err`
// to write to.
bool connect_streams(int in, int out, int err) {
  const int input = in >= 0 ? in : ::open("/dev/null", O_RDONLY);
  return input >= 0 && dup2(input, STDIN_FILENO) >= 0 &&
         dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0 &&
         close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

void reset_signals() {
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Points to arguments or variables as execve(2) takes them.
std::vector<char*> pointers_to(Words& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

constexpr const char* search_step = "find the program";
constexpr const char* mount_step = "bind its mounts";

// A child on its way to the program. vfork(2) lends it this process's memory
// until then: all that it needs is made before, since it may allocate nothing,
// and it writes the step that failed in place.
struct Setup {
  const Context& context;
  const Places places;
  const std::vector<char*> candidates;
  std::vector<char*> arguments;  // the first is the program, once it is found
  const std::vector<char*> variables;
  const pid_t parent = getpid();
  const bool has_terminal = has_controlling_terminal();
  const bool is_searched;
  const char* volatile failed_step = nullptr;
  volatile int error = 0;

  void require(bool done, const char* step) {
    if (!done) {
      error = errno;
      failed_step = step;
      _exit(127);
    }
  }

  void tie_to_parent() {
    require(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "tie it to this process");
    require(getppid() == parent, "outlive this process");
  }

  // Looks for the program as the command's user, and where the mounts show
  // it: the environment that is in PATH may be another one there.
  void find_program() {
    for (char* candidate : candidates) {
      if (candidate != nullptr &&
          (!is_searched || ::access(candidate, X_OK) == 0)) {
        arguments[0] = candidate;
        return;
      }
    }
    require(false, search_step);
  }

  // Runs in the child, where a failure must stop everything: exec after a
  // failed setuid would run the program as root.
  [[noreturn]] void run(int in, int out, int err) {
    require(has_terminal ? setsid() >= 0 : setpgid(0, 0) == 0,
            "start a process group");
    tie_to_parent();  // a file system may hang from here on
    require(places.enter_top(), "enter the checkout");
    require(places.make_mounts(), mount_step);
    require(connect_streams(in, out, err), "connect its streams");
    require(!context.user || become(*context.user), "become its user");
    require(!context.no_new_privileges ||
                prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0,
            "set no_new_privs");
    require(places.enter_directory(), "enter its directory");
    tie_to_parent();  // becoming another user has undone it
    find_program();
    reset_signals();
    execve(arguments[0], arguments.data(), variables.data());
    require(false, "run the program");
    _exit(127);
  }
};

}  // namespace

Launched launch(const Command& command) {
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  const Descriptor in = file_of(command.input);
  Words arguments = command.arguments;
  arguments.insert(arguments.begin(), command.program);
  Words candidates =
      is_a_path(command.program)
          ? Words{command.program}
          : places_of(command.program, command.context.variables);
  Words variables;
  for (const auto& [name, value] : command.context.variables) {
    variables.push_back(name + '=' + value);
  }
  Setup setup{.context = command.context,
              .places = Places(command.context),
              .candidates = pointers_to(candidates),
              .arguments = pointers_to(arguments),
              .variables = pointers_to(variables),
              .is_searched = !is_a_path(command.program)};
  const pid_t pid = vfork();  // NOLINT: Setup keeps to what its child may do
  if (pid == 0) {
    setup.run(in.get(), out.write.get(), err.write.get());
  }
  if (pid < 0) {
    throw_errno("start a process for " + describe(command));
  }
  if (setup.failed_step != nullptr) {
    waitpid(pid, nullptr, 0);
    if (setup.failed_step == search_step) {
      throw not_found(command);
    }
    const std::string what =
        fmt::format("{} failed: {} in {}: cannot {}: {}", command.purpose,
                    describe(command), command.context.directory.string(),
                    setup.failed_step, errno_text(setup.error));
    if (setup.failed_step == mount_step) {
      throw MountError(what, setup.error);
    }
    throw Error(what);
  }
  return {pid, std::move(out.read), std::move(err.read)};
}

}  // namespace deployment
