// What is so, before anything is decided: facts as values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/config.hpp"
#include "lib/git.hpp"
#include "lib/git_lock.hpp"
#include "lib/record.hpp"
#include "lib/store.hpp"

namespace deployment {

// What the target commit holds of one component.
struct ComponentFacts {
  std::vector<std::filesystem::path> manifests;  // those that exist
  Inputs inputs;  // what an environment made from it would be made from
  std::optional<Label> live;  // what the environment in use says it is
  bool kept = false;          // an environment that serves the commit is kept

  bool operator==(const ComponentFacts&) const = default;
};

// The commit to deploy, looked at in git's object database.
struct Target {
  std::string commit = {};
  std::string from_subject = {};
  std::string to_subject = {};
  std::vector<std::string> in_the_way = {};  // local changes it overwrites
  // Those of them that a move of this program's own began to write.
  std::vector<std::string> half_written = {};
  std::map<std::string, ComponentFacts> components = {};
};

struct Observation {
  Time now{};
  Heads heads = {};
  std::string current_commit = {};  // known when a closer look was taken
  std::string current_branch = {};  // likewise; empty: detached
  bool tip_is_here = false;         // the repository has the tip's objects
  // Known when the tip's objects could be looked at.
  std::optional<Divergence> divergence = {};
  std::optional<Target> target = {};
  std::vector<GitLock> git_locks = {};
  // Why no environment can be built aside; empty: it can.
  std::string in_place_reason = {};
};

// The commit that the branch is at here: of the local branch, else of the
// remote-tracking one, from which git checkout would create it.
const std::string& local_commit(const Heads& heads);

// The commit at the remote did not stay up, and nothing is to be done about it
// until another one comes.
bool is_quarantined(const Record& record, const Heads& heads);

// The remote's commit failed and its next try is not due.
bool is_postponed(const Record& record, const Heads& heads, Time now);

// The deployment of what is checked out is done as far as the record knows. A
// record that knows of no deployment adopts what is checked out.
bool is_settled(const Config& config, const Record& record, const Heads& heads);

// True when nothing is to do, seen from the heads alone.
bool is_up_to_date(const Config& config, const Record& record,
                   const Heads& heads);

// Where observe() looks. `git` sees the repository; `objects` sees the tip too
// when a dry run has fetched it aside, and is else the same.
struct Sources {
  const GitReader& git;
  const GitReader& objects;
  const Store& store;
  std::function<std::string()> python_version;
  std::function<std::string()> in_place_reason;
};

// Looks closer.
Observation observe(const Config& config, const Record& record,
                    const Heads& heads, bool force, const Sources& sources);

}  // namespace deployment
