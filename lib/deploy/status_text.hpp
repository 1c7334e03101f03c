// Says in words what --status tells, in 80 columns.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "lib/model/config.hpp"
#include "lib/model/record.hpp"

namespace deployment {

// Says what stands on the host now, beside what the record says; what cannot be
// asked is left out.
struct Seen {
  std::optional<CommitId> checked_out = {};
  std::map<std::string, std::string> services = {};  // states, by unit
  std::map<std::string, std::string> troubles = {};  // by component
  std::set<std::string> gone = {};  // components without their environment
  std::string hold = {};            // in words; empty: there is none
};

// Returns the subject of a commit; empty when it is not known.
using Subject = std::function<std::string(const std::optional<CommitId>&)>;

// Returns the time at which what is deployed was deployed first; nullopt: the
// record does not tell.
std::optional<Time> deployed_at(const Record& record);

// Begins with the answer to whether production is on what was pushed, then
// says why not, since when and what comes next. `path` is the record's.
std::string status_text(const Config& config, const Record& record,
                        const std::string& path, const Subject& subject,
                        const Seen& seen);

}  // namespace deployment
