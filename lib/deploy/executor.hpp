// Carries out the steps of plans.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/plan/plan.hpp"
#include "lib/services/verify.hpp"

namespace deployment {

// Each step is written to the journal before and after what it changes, so that
// a run that is killed anywhere can be continued.
class Executor {
 public:
  Executor(Host& host, Journal& journal) : host_(host), journal_(journal) {}

  // The following steps deploy `change`.
  void begin(const Change& change) { change_ = change; }
  const std::optional<Change>& change() const { return change_; }

  // Throws Error when the step fails, and Interrupted.
  void apply(const Step& step);

  // True when an environment was put into use where there was none. A rollback
  // would find nothing to put back.
  bool made_first_environment() const { return made_first_environment_; }

 private:
  void apply_step(const RemoveLock& step);
  void apply_step(const Fetch& step);
  void apply_step(const Restore& step);
  void apply_step(const Checkout& step);
  void apply_step(const FastForward& step);
  void apply_step(const Reset& step);
  void apply_step(const Install& step);
  void apply_step(const Build& step);
  void apply_step(const Exchange& step);
  void apply_step(const Restart& step);
  void apply_step(const Skip& step);
  void apply_step(const Verify& step);

  // Runs `move` while the record says that the work tree goes to `commit`.
  template <typename Move>
  void move_to(const CommitId& commit, const Move& move);
  void take_back_half_written(const CommitId& commit);
  void exchange(const Exchange& step);
  Sequence install_commands(const Install& step) const;

  Host& host_;
  Journal& journal_;
  std::optional<Change> change_;
  UnitStates states_before_;
  bool made_first_environment_ = false;
};

}  // namespace deployment
