#include "lib/process/runner.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
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

#include "lib/base/file.hpp"
#include "lib/base/signals.hpp"
#include "lib/base/text.hpp"
#include "lib/base/time.hpp"

namespace deployment {
namespace {

using std::chrono::steady_clock;

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
  const auto path = command.context.variables.find("PATH");
  const std::string folders =
      path == command.context.variables.end() ? "" : path->second;
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

// What a child between fork and exec could not do. Sent in one write, which
// a pipe keeps in one piece (pipe(7), PIPE_BUF).
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

// One of a child's two output streams.
class Stream {
 public:
  Stream(Descriptor fd, std::string& kept, const Context& context)
      : fd_(std::move(fd)), kept_(&kept), on_line_(context.on_line) {}

  bool is_open() const { return fd_.is_open(); }
  int fd() const { return fd_.get(); }

  void read_some() {
    std::array<char, 4096> buffer;  // NOLINT: read(2) fills it
    const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
    if (count > 0) {
      take({buffer.data(), static_cast<std::size_t>(count)});
    } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
      close();
    }
  }

  void close() {
    if (!line_.empty()) {
      end_line();
    }
    fd_.reset();
  }

 private:
  static constexpr std::size_t longest_line = 8192;
  static constexpr std::size_t kept_of_shown = 65536;

  void take(std::string_view bytes) {
    kept_->append(bytes);
    if (!on_line_) {
      return;
    }
    if (kept_->size() > 2 * kept_of_shown) {
      kept_->erase(0, kept_->size() - kept_of_shown);
    }
    for (const char c : bytes) {
      if (c != '\n') {
        line_.push_back(c);
      }
      if (c == '\n' || line_.size() == longest_line) {
        end_line();
      }
    }
  }

  void end_line() {
    if (on_line_) {
      on_line_(std::exchange(line_, {}));
    }
  }

  Descriptor fd_;
  std::string* kept_;
  std::function<void(std::string_view)> on_line_;
  std::string line_;
};

// A child from its launch to its end.
class Child {
 public:
  Child(const Command& command, CommandResult& result)
      : command_(command),
        result_(result),
        started_(steady_clock::now()),
        next_action_(started_ + command.context.timeout) {
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    launch(find_program(command), out.write.get(), err.write.get());
    out_.emplace(std::move(out.read), result.out, command.context);
    err_.emplace(std::move(err.read), result.err, command.context);
  }

  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // An exception between launch and end must leave nothing behind.
  ~Child() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  bool ended() const { return pid_ <= 0; }
  const Command& command() const { return command_; }
  steady_clock::time_point started() const { return started_; }
  steady_clock::time_point next_action() const { return next_action_; }

  void add_to(std::vector<pollfd>& fds) const {
    const auto add = [&](int fd) {
      fds.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    };
    add(out_->is_open() ? out_->fd() : -1);
    add(err_->is_open() ? err_->fd() : -1);
  }

  // `ready` are the two entries that add_to() made.
  void handle(std::span<const pollfd> ready) {
    if (ready[0].revents != 0) {
      out_->read_some();
    }
    if (ready[1].revents != 0) {
      err_->read_some();
    }
    if (!exited_ && has_exited()) {
      exited_ = true;
      next_action_ = steady_clock::now() + ProcessRunner::drain;
    }
    if (exited_ && !out_->is_open() && !err_->is_open()) {
      finish();
    }
  }

  // The deadline of the present state has come.
  void act() {
    if (exited_) {
      finish();
    } else if (terminating_) {
      ::kill(-pid_, SIGKILL);
      next_action_ = steady_clock::time_point::max();
    } else {
      result_.status.timed_out = true;
      terminate();
    }
  }

  // Ends the group: SIGTERM now, SIGKILL after the grace.
  void terminate() {
    if (!terminating_ && !exited_) {
      terminating_ = true;
      ::kill(-pid_, SIGTERM);
      next_action_ = steady_clock::now() + ProcessRunner::grace;
    }
  }

 private:
  void launch(const std::string& program, int out, int err) {
    Pipe report = make_pipe();
    const pid_t parent = getpid();
    const bool has_terminal = has_controlling_terminal();
    const int report_fd = report.write.get();
    VariableBlock variables(command_.context.variables);
    std::error_code error;
    bp::child child(
        bp::exe = program, bp::args = command_.arguments, bp::std_in < bp::null,
        bp::posix::fd.bind(STDOUT_FILENO, out),
        bp::posix::fd.bind(STDERR_FILENO, err), bp::posix::use_vfork,
        bp::extend::on_setup =
            [&](auto& executor) { executor.env = variables.data(); },
        bp::extend::on_exec_setup =
            [&](auto&) {
              prepare_child(command_.context, parent, has_terminal, report_fd);
            },
        bp::extend::on_error = [](auto& executor,
                                  auto&) { reap(executor.pid); },
        error);
    if (error) {
      throw Error(fmt::format("{} failed: cannot run {}: {}", command_.purpose,
                              program, error.message()));
    }
    pid_ = child.id();
    child.detach();
    report.write.reset();
    throw_if_setup_failed(command_, pid_, report.read.get());
  }

  // Leaves the child a zombie: until finish() its group can be nobody else's.
  bool has_exited() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info,
                  WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }

  void finish() {
    out_->close();
    err_->close();
    ::kill(-pid_, SIGKILL);
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    if (WIFSIGNALED(status)) {
      result_.status.signal = WTERMSIG(status);
    } else {
      result_.status.code = WEXITSTATUS(status);
    }
  }

  const Command& command_;
  CommandResult& result_;
  steady_clock::time_point started_;
  steady_clock::time_point next_action_;
  pid_t pid_ = 0;
  std::optional<Stream> out_;
  std::optional<Stream> err_;
  bool exited_ = false;
  bool terminating_ = false;
};

// A sequence on its way: at most one child at a time.
class Track {
 public:
  Track(const Sequence& sequence, std::vector<CommandResult>& results, Log& log)
      : sequence_(sequence), results_(results), log_(log) {
    results_.reserve(sequence.size());  // children point into it
    start_next();
  }

  Child* child() const { return child_.get(); }

  // Starts what follows when the child has ended; nothing follows a failure.
  void go_on() {
    if (child_ && child_->ended()) {
      child_.reset();
      if (results_.back().status.success() && termination_signal() == 0) {
        start_next();
      }
    }
  }

 private:
  void start_next() {
    if (results_.size() == sequence_.size()) {
      return;
    }
    const Command& command = sequence_[results_.size()];
    log_.debug(fmt::format("run {} in {}", describe(command),
                           command.context.directory.string()));
    child_ = std::make_unique<Child>(command, results_.emplace_back());
  }

  const Sequence& sequence_;
  std::vector<CommandResult>& results_;
  Log& log_;
  std::unique_ptr<Child> child_;
};

using Tracks = std::vector<std::unique_ptr<Track>>;

// Waits for output, an end, a signal or the next deadline, at most a second,
// and lets every child act on what came.
void wait_once(const Tracks& tracks) {
  std::vector<pollfd> fds;
  auto wake = steady_clock::now() + std::chrono::seconds(1);
  for (const auto& track : tracks) {
    track->child()->add_to(fds);
    wake = std::min(wake, track->child()->next_action());
  }
  const timespec timeout = to_timespec(wake - steady_clock::now());
  if (ppoll(fds.data(), fds.size(), &timeout, &wait_mask()) < 0) {
    for (pollfd& fd : fds) {
      fd.revents = 0;
    }
  }
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    Child& child = *tracks[i]->child();
    child.handle(std::span(fds).subspan(2 * i, 2));
    if (!child.ended() && steady_clock::now() >= child.next_action()) {
      child.act();
    }
    if (termination_signal() != 0 && !child.ended()) {
      child.terminate();
    }
  }
}

void show_activity(const Child& child, Log& log) {
  if (child.command().context.on_line) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(
        steady_clock::now() - child.started());
    log.show_activity(describe(child.command()), age);
  }
}

}  // namespace

ProcessRunner::ProcessRunner(Log& log) : log_(log) {
  catch_signals();
}

std::vector<std::vector<CommandResult>> ProcessRunner::run_sequences(
    std::span<const Sequence> sequences) {
  throw_if_interrupted();
  std::vector<std::vector<CommandResult>> results(sequences.size());
  Tracks tracks;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    tracks.push_back(std::make_unique<Track>(sequences[i], results[i], log_));
  }
  const auto is_done = [](const auto& track) {
    return track->child() == nullptr;
  };
  std::erase_if(tracks, is_done);  // empty sequences
  while (!tracks.empty()) {
    wait_once(tracks);
    for (const auto& track : tracks) {
      track->go_on();
    }
    std::erase_if(tracks, is_done);
    if (!tracks.empty()) {
      show_activity(*tracks.front()->child(), log_);
    }
  }
  throw_if_interrupted();
  return results;
}

}  // namespace deployment
