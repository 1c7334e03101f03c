// Runs the programs of the host that the configuration names, and gathers what
// they are told.
#pragma once

#include "lib/base/json.hpp"
#include "lib/deploy/host.hpp"

namespace deployment {

// Returns what is known of the application without a look at its checkout; what
// there is to say of commits is empty.
Json facts_of(const Config& config);

// Returns what is known of the host and of a deployment from one commit to
// another. Of a commit that is not here the subject and the author are empty.
Json facts_of(const Host& host, const std::optional<CommitId>& from,
              const std::optional<CommitId>& to);

// Returns a program of the host that has `facts` as standard input. It runs as
// the user of this process, in / and with the variables that any child gets: it
// comes with the configuration, and not with a push. It is ended after 30
// seconds.
Command program_of(const Config& config, const CommandWords& words,
                   const std::string& purpose, const Json& facts);

}  // namespace deployment
