// Installs what an environment is made of.
#pragma once

#include "lib/model/component.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Returns the commands that make the environment of `component` from what
// `manifests` ask for, in the directory of `context`; `purpose` is theirs in
// errors. A venv is reached from that directory, whatever its path leads to
// meanwhile, and pip runs with the variables that its activate script sets.
Sequence install_commands(const std::string& purpose, const Context& context,
                          const Component& component,
                          const std::vector<std::filesystem::path>& manifests);

// Returns the version of the runtime of a preset that is on the PATH of
// `context`, as far as what is installed depends on it: "18" of node,
// "3.11.2" of python3. Throws Error when it cannot be asked.
std::string version_of(std::string_view runtime, CommandRunner& runner,
                       const Context& context);

// The same in two parts: the question, and what an answer to it says.
Command version_question(std::string_view runtime, Context context);
std::string version_in(std::string_view runtime, std::string_view answer);

// Returns the place of `program` on the PATH of `context`, whatever leads
// there, and when it came there, so that another one of the same version is
// known from it. Empty: it is not there.
std::string program_at(std::string_view program, const Context& context);

// Returns `variables` as bin/activate of `venv` changes them: VIRTUAL_ENV set,
// its bin first in PATH, no PYTHONHOME
// (https://docs.python.org/3/library/venv.html).
Variables activated(Variables variables, const std::filesystem::path& venv);

// Returns `context` so that a program of the environment in its directory comes
// before others of its name: a venv is activated(), of a node_modules .bin is
// first in PATH, as npm(1) runs scripts, and of any other one bin.
Context in_environment(Context context, const Component& component);

}  // namespace deployment
