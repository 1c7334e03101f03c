// Installs what an environment is made of: by npm(1) a node_modules, by
// python3 -m venv and pip a venv.
#pragma once

#include "lib/model/config.hpp"
#include "lib/process/command.hpp"

namespace deployment {

// Returns the commands that install what the package.json in the directory of
// `context` asks for; errors name `purpose`. --no-save leaves
// package-lock.json alone: another npm than the one that wrote it would rewrite
// it, and git would refuse the next pull that changes it.
Sequence npm_install(const std::string& purpose, const Context& context);

// Returns the commands that remove the venv in the directory of `context`, make
// a new one and install `requirements` into it; `purpose` is theirs in errors.
// pip runs in the venv's interpreter, which is reached from that directory
// whatever its path leads to meanwhile, with the variables that the venv's
// activate script sets.
Sequence rebuild_venv(const std::string& purpose, const Context& context,
                      const std::vector<std::filesystem::path>& requirements);

// Returns the version of the python3 on the PATH of `context`, as "3.11.2".
// Throws Error when it cannot be asked.
std::string python_version(CommandRunner& runner, const Context& context);

// Returns the version of the node on the PATH of `context`, as far as what npm
// installs depends on it: "18, ABI 108". Throws Error when it cannot be asked.
std::string node_version(CommandRunner& runner, const Context& context);

// Returns `variables` as bin/activate of `venv` changes them: VIRTUAL_ENV set,
// its bin first in PATH, no PYTHONHOME
// (https://docs.python.org/3/library/venv.html).
Variables activated(Variables variables, const std::filesystem::path& venv);

// Returns `context` so that a program of the environment in its directory comes
// before others of its name: as activated(), or with node_modules/.bin first in
// PATH, as npm(1) runs scripts.
Context in_environment(Context context, Component::Type type);

}  // namespace deployment
