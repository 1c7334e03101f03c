#include "lib/process/runner.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <utility>

#include "lib/base/signals.hpp"
#include "lib/base/time.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/process/launch.hpp"

namespace deployment {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// One of a child's two output streams. Of an answer all is kept, or nothing
// when it is too long; of others at least the last `longest_end` bytes.
// `dropped` counts the rest.
class Stream {
 public:
  Stream(Descriptor fd, std::string& kept, std::size_t& dropped,
         const Context& context, std::optional<std::size_t> longest_answer = {})
      : fd_(std::move(fd)),
        kept_(&kept),
        dropped_(&dropped),
        on_line_(context.on_line),
        longest_answer_(longest_answer) {}

  bool is_open() const { return fd_.is_open(); }
  int fd() const { return fd_.get(); }
  std::size_t dropped() const { return *dropped_; }

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
      on_line_(std::exchange(line_, {}));
    }
    fd_.reset();
  }

 private:
  static constexpr std::size_t longest_line = 8192;

  void take(std::string_view bytes) {
    if (longest_answer_) {
      keep_all(bytes);
    } else {
      keep_end(bytes);
    }
    for (const char c : on_line_ ? bytes : std::string_view()) {
      if (c != '\n') {
        line_.push_back(c);
      }
      if (c == '\n' || line_.size() == longest_line) {
        on_line_(std::exchange(line_, {}));
      }
    }
  }

  void keep_all(std::string_view bytes) {
    const std::size_t size = kept_->size() + bytes.size();
    if (*dropped_ + size > *longest_answer_) {
      *dropped_ += size;
      *kept_ = std::string();  // clear() would keep the memory
      return;
    }
    if (size > longest_end) {
      // To grow takes twice the memory; what is reserved, none until it is
      // used.
      kept_->reserve(*longest_answer_);
    }
    kept_->append(bytes);
  }

  void keep_end(std::string_view bytes) {
    kept_->append(bytes);
    if (kept_->size() > 2 * longest_end) {
      *dropped_ += kept_->size() - longest_end;
      kept_->erase(0, kept_->size() - longest_end);
    }
  }

  Descriptor fd_;
  std::string* kept_;
  std::size_t* dropped_;
  std::function<void(std::string_view)> on_line_;
  std::optional<std::size_t> longest_answer_;
  std::string line_;
};

// A child from its launch to its end.
class Child {
 public:
  Child(const Command& command, CommandResult& result, Log& log)
      : command_(command),
        result_(result),
        log_(log),
        launched_(launch(command)),
        streams_{Stream(std::move(launched_.out), result.out,
                        result.out_dropped, command.context,
                        command.context.on_line
                            ? std::nullopt
                            : std::optional(command.context.longest_answer)),
                 Stream(std::move(launched_.err), result.err,
                        result.err_dropped, command.context)} {}

  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // An exception between launch and end must leave nothing behind.
  ~Child() {
    const auto end = steady_clock::now() + ProcessRunner::grace;
    while (!ended() && steady_clock::now() < end) {
      kill_all();
      touch_watchdog();
      if (waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = 0;
      } else {
        const timespec second = to_timespec(1s);
        ppoll(nullptr, 0, &second, &wait_mask());  // SIGCHLD ends it
      }
    }
  }

  bool ended() const { return pid_ <= 0; }
  const Command& command() const { return command_; }
  steady_clock::time_point started() const { return started_; }
  steady_clock::time_point next_action() const { return next_action_; }

  void add_to(std::vector<pollfd>& fds) const {
    for (const Stream& stream : streams_) {  // ppoll(2) skips -1
      fds.push_back({.fd = stream.fd(), .events = POLLIN, .revents = 0});
    }
  }

  // Takes the entries that add_to() made off `ready`.
  void handle(const pollfd*& ready) {
    for (Stream& stream : streams_) {
      if ((ready++)->revents != 0) {
        stream.read_some();
      }
    }
    if (!exited_ && has_exited()) {
      exited_ = true;
      next_action_ = steady_clock::now() + ProcessRunner::drain;
    }
    if (exited_ && std::ranges::none_of(streams_, &Stream::is_open)) {
      finish();
    }
  }

  // The deadline of the present state has come.
  void act() {
    const auto now = steady_clock::now();
    if (exited_ || now >= given_up_) {
      finish();
    } else if (terminating_) {
      kill_all();
      given_up_ = std::min(given_up_, now + ProcessRunner::grace);
      next_action_ = now + 1s;
    } else {
      result_.status.timed_out = true;
      terminate();
    }
  }

  // Ends the group: SIGTERM now, SIGKILL after the grace. What does not end
  // within as long again is given up.
  void terminate() {
    if (!terminating_ && !exited_) {
      terminating_ = true;
      ::kill(-pid_, SIGTERM);
      if (getpgid(pid_) != pid_) {  // it has left its group
        ::kill(pid_, SIGTERM);
      }
      next_action_ = steady_clock::now() + ProcessRunner::grace;
    }
  }

 private:
  // The leader may leave its group and come back between two looks.
  void kill_all() const {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
  }

  // Does not reap yet: the zombie reserves the pid, so kill(-pid_) cannot hit
  // another group.
  bool has_exited() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info,
                  WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }

  void finish() {
    std::ranges::for_each(streams_, &Stream::close);
    if (!command_.context.on_line) {
      result_.status.dropped = streams_.front().dropped();
    }
    ::kill(-pid_, SIGKILL);  // the leader has ended, or got it before
    int status = SIGKILL;    // stays, when there is no end to tell
    if (waitpid(pid_, &status, WNOHANG) == 0) {
      log_.warning(fmt::format(
          "process {} does not end, though it was killed: {}; look what holds "
          "it: grep -E '^(State|TracerPid):' /proc/{}/status",
          pid_, describe(command_), pid_));
    }
    pid_ = 0;
    if (WIFSIGNALED(status)) {
      result_.status.signal = WTERMSIG(status);
    } else {
      result_.status.code = WEXITSTATUS(status);
    }
  }

  const Command& command_;
  CommandResult& result_;
  Log& log_;
  steady_clock::time_point started_ = steady_clock::now();
  steady_clock::time_point next_action_ = started_ + command_.context.timeout;
  steady_clock::time_point given_up_ = steady_clock::time_point::max();
  Launched launched_;
  pid_t pid_ = launched_.pid;
  std::array<Stream, 2> streams_;  // standard output, standard error
  bool exited_ = false;
  bool terminating_ = false;
};

// A sequence on its way: at most one child at a time.
class Track {
 public:
  Track(const Sequence& sequence, Results& results, Log& log)
      : sequence_(sequence), results_(results), log_(log) {
    results_.reserve(sequence.size());  // children point into it
  }

  Child& child() { return *child_; }

  // Starts the first command, and the next when the child has ended. Returns
  // false when none is left to start: nothing follows a failure.
  bool go_on() {
    if (child_ && !child_->ended()) {
      return true;
    }
    child_.reset();
    if (ends(sequence_, results_) || termination_signal() != 0) {
      return false;
    }
    const Command& command = sequence_[results_.size()];
    log_.debug(fmt::format("run {} in {}", describe(command),
                           command.context.directory.string()));
    child_.emplace(command, results_.emplace_back(), log_);
    return true;
  }

 private:
  const Sequence& sequence_;
  Results& results_;
  Log& log_;
  std::optional<Child> child_;
};

// Waits for output, an end, a signal or the next deadline, at most a second,
// and lets every child act on what came.
void wait_once(std::list<Track>& tracks) {
  std::vector<pollfd> fds;
  auto wake = steady_clock::now() + 1s;
  for (Track& track : tracks) {
    track.child().add_to(fds);
    wake = std::min(wake, track.child().next_action());
  }
  touch_watchdog();
  const timespec timeout = to_timespec(wake - steady_clock::now());
  ppoll(fds.data(), fds.size(), &timeout, &wait_mask());
  const pollfd* ready = fds.data();
  for (Track& track : tracks) {
    Child& child = track.child();
    child.handle(ready);
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

std::vector<Results> ProcessRunner::run_sequences(
    std::span<const Sequence> sequences) {
  throw_if_interrupted();
  std::vector<Results> results(sequences.size());
  std::list<Track> tracks;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    tracks.emplace_back(sequences[i], results[i], log_);
  }
  const auto is_done = [](Track& track) { return !track.go_on(); };
  tracks.remove_if(is_done);
  while (!tracks.empty()) {
    wait_once(tracks);
    tracks.remove_if(is_done);
    if (!tracks.empty()) {
      show_activity(tracks.front().child(), log_);
    }
  }
  throw_if_interrupted();
  return results;
}

}  // namespace deployment
