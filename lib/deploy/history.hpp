// Keeps and tells the history, a file beside the record.
#pragma once

#include "lib/deploy/work.hpp"
#include "lib/model/history.hpp"

namespace deployment {

// The history of a state directory. What the record has and the file has not is
// in it: where there is no file, or none that can be read, that is all.
struct KnownHistory {
  History history = {};
  std::string trouble = {};  // with the file; empty: none
};
KnownHistory known_history(const std::filesystem::path& state_dir,
                           const Record& record);

// Describes the present deployment as one that has ended now; nullopt when its
// commit is not known yet.
std::optional<Deployment> ended(const Work& work, Deployment::Outcome outcome);

// Writes what has ended into the history, with the steps that this run took, or
// does nothing when nothing has. Comes after the record has it, so that a run
// that is killed before leaves it to the next one that gets here. What goes
// wrong is a warning. A file that cannot be read is put aside.
void keep_history(Work& work);

// Tells what --history tells: the last `count` deployments, the newest first.
// Throws Error when the record cannot be read.
std::string describe_history(const Config& config, std::size_t count, bool json,
                             Log& log);

}  // namespace deployment
