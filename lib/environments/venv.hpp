// A Python virtual environment: python3 -m venv, pip.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/process/command.hpp"

namespace deployment {

// "3.11.2": what the python3 of `prototype`'s PATH calls itself.
std::string python_version(CommandRunner& runner, Command prototype);

// The commands that remove the venv of `prototype`'s directory, make a new one
// and install `requirements` into it, in the environment that its activate
// script sets.
Sequence rebuild_venv(const Command& prototype,
                      const std::vector<std::filesystem::path>& requirements);

// `environment` as bin/activate of `venv` leaves it: VIRTUAL_ENV set, its bin
// first in PATH, no PYTHONHOME (https://docs.python.org/3/library/venv.html).
Environment activated(Environment environment,
                      const std::filesystem::path& venv);

}  // namespace deployment
