// Tells what --status tells.
#pragma once

#include "lib/base/log.hpp"
#include "lib/model/config.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Reads the record and asks git for the subjects of its commits; changes
// nothing and takes no lock. Leaves out the subjects that git cannot tell.
// Throws Error when the record cannot be read.
std::string describe_status(const Config& config, bool json, Log& log,
                            CommandRunner& runner);

}  // namespace deployment
