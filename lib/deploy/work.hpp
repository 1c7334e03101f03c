// The work of one run.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/model/history.hpp"
#include "lib/services/verify.hpp"

namespace deployment {

inline std::chrono::milliseconds time_since(
    std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
}

// The work of one run, with what its steps leave for those after them.
struct Work {
  Host& host;
  Journal& journal;
  std::optional<Change> change = {};  // that the steps deploy
  // That is carried out and has not moved anything yet.
  const Plan* plan = nullptr;
  bool has_looked = false;              // whether it can move its outputs
  UnitStates states_before = {};        // of the units that they restart
  std::set<std::string> reloaded = {};  // units that go on since before
  // Shows the commit that is laid out aside to commands; empty: none is.
  std::vector<Mount> stage = {};
  // All services may listen elsewhere than before.
  bool may_move = false;
  bool may_have_moved =
      false;  // that is seen when they do not listen as before
  // A person asked to leave a commit: whatever happens, it stays left.
  bool is_asked = false;
  std::string person = {};  // who asked for this run; empty: the timer did
  std::chrono::steady_clock::time_point started =
      std::chrono::steady_clock::now();
  // Carried out for the deployment that is to end next; one that failed, too.
  std::vector<TimedStep> steps = {};
};

// Adds a step to those of the work and, at the end of its life, the time that
// it took.
class Stopwatch {
 public:
  Stopwatch(const std::string& step, Work& work) : steps_(work.steps) {
    steps_.push_back({.step = step});
  }
  ~Stopwatch() { steps_.back().duration = time(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  std::chrono::milliseconds time() const { return time_since(start_); }

 private:
  std::vector<TimedStep>& steps_;
  std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
};

}  // namespace deployment
