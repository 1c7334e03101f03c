#include "lib/environments/installs.hpp"

#include <fmt/format.h>

#include "lib/base/text.hpp"

namespace deployment {

Sequence npm_install(const std::string& purpose, const Context& context) {
  return {{purpose, "npm", {"install", "--no-save"}, context}};
}

Sequence rebuild_venv(const std::string& purpose, const Context& context,
                      const std::vector<std::filesystem::path>& requirements) {
  // Not venv/bin/pip: its first line names an interpreter by a path.
  const std::string python = "venv/bin/python3";
  Context inside = context;
  inside.variables = activated(context.variables, context.directory / "venv");
  Words install = {"-m", "pip", "install"};
  for (const std::filesystem::path& file : requirements) {
    install.insert(install.end(), {"-r", file});
  }
  return {
      {purpose, "rm", {"-rf", "--", "venv"}, context},
      {purpose, "python3", {"-m", "venv", "venv"}, context},
      {purpose, python, {"-m", "pip", "install", "--upgrade", "pip"}, inside},
      {purpose, python, install, inside}};
}

std::string python_version(CommandRunner& runner, Context context) {
  context.on_line = nullptr;
  context.longest_answer = longest_line;  // it is a part of labels
  const CommandResult result =
      runner.run_checked({.purpose = "asking python3 for its version",
                          .program = "python3",
                          .arguments = {"--version"},
                          .context = std::move(context)});
  const std::string_view answer = trimmed(result.out);
  constexpr std::string_view prefix = "Python ";
  if (!answer.starts_with(prefix)) {
    throw Error(
        fmt::format("unexpected output from python3 --version: '{}'", answer));
  }
  return std::string(answer.substr(prefix.size()));
}

Variables activated(Variables variables, const std::filesystem::path& venv) {
  const std::string bin = venv / "bin";
  std::string& path = variables["PATH"];
  path = path.empty() ? bin : bin + ":" + path;
  variables["VIRTUAL_ENV"] = venv;
  variables.erase("PYTHONHOME");
  return variables;
}

}  // namespace deployment
