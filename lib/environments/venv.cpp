#include "lib/environments/venv.hpp"

#include <fmt/format.h>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

Command with(Command command, std::string program,
             std::vector<std::string> arguments) {
  command.program = std::move(program);
  command.arguments = std::move(arguments);
  return command;
}

}  // namespace

std::string python_version(CommandRunner& runner, Command prototype) {
  prototype.purpose = "asking python3 for its version";
  prototype.on_line = nullptr;
  const Command query = with(std::move(prototype), "python3", {"--version"});
  const CommandResult result = runner.run_checked(query);
  const std::string_view answer = trimmed(result.out);
  constexpr std::string_view prefix = "Python ";
  if (!answer.starts_with(prefix)) {
    throw Error(fmt::format("{} failed: it answered '{}'", query.purpose,
                            std::string(answer)));
  }
  return std::string(answer.substr(prefix.size()));
}

Sequence rebuild_venv(const Command& prototype,
                      const std::vector<std::filesystem::path>& requirements) {
  const std::filesystem::path venv = prototype.directory / "venv";
  const std::string pip = venv / "bin" / "pip";
  Command inside = prototype;
  inside.environment = activated(prototype.environment, venv);
  std::vector<std::string> install = {"install"};
  for (const std::filesystem::path& file : requirements) {
    install.insert(install.end(), {"-r", file});
  }
  return {with(prototype, "rm", {"-rf", "--", "venv"}),
          with(prototype, "python3", {"-m", "venv", "venv"}),
          with(inside, pip, {"install", "--upgrade", "pip"}),
          with(inside, pip, install)};
}

Environment activated(Environment environment,
                      const std::filesystem::path& venv) {
  const std::string bin = venv / "bin";
  std::string& path = environment["PATH"];
  path = path.empty() ? bin : bin + ":" + path;
  environment["VIRTUAL_ENV"] = venv;
  environment.erase("PYTHONHOME");
  return environment;
}

}  // namespace deployment
