// What --status tells: the record, and the subjects that go with its commits.
#pragma once

#include <string>

#include "lib/model/config.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Reads the record and asks git for subjects; changes nothing and takes no
// lock. A repository that cannot be asked leaves the subjects empty.
std::string describe_status(const Config& config, bool json,
                            CommandRunner& runner);

}  // namespace deployment
