#include "lib/environments/installs.hpp"

#include <fmt/format.h>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

// Asks `program` for its version, which is a part of labels.
std::string version_of(const std::string& program, const Words& arguments,
                       CommandRunner& runner, Context context) {
  context.on_line = nullptr;
  context.longest_answer = longest_line;
  const CommandResult result = runner.run_checked(
      {.purpose = fmt::format("asking {} for its version", program),
       .program = program,
       .arguments = arguments,
       .context = std::move(context)});
  return std::string(trimmed(result.out));
}

void put_first_in_path(Variables& variables, const std::string& folder) {
  std::string& path = variables["PATH"];
  path = path.empty() ? folder : folder + ":" + path;
}

}  // namespace

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

std::string python_version(CommandRunner& runner, const Context& context) {
  const std::string answer =
      version_of("python3", {"--version"}, runner, context);
  constexpr std::string_view prefix = "Python ";
  if (!answer.starts_with(prefix)) {
    throw Error(
        fmt::format("unexpected output from python3 --version: '{}'", answer));
  }
  return answer.substr(prefix.size());
}

std::string node_version(CommandRunner& runner, const Context& context) {
  const std::string answer = version_of(
      "node",
      {"--print", "`${process.versions.node} ${process.versions.modules}`"},
      runner, context);
  std::string_view abi = answer;
  std::string_view version = take_part(abi, ' ');
  const auto major = parse_number(take_part(version, '.'));
  if (!major || !parse_number(abi)) {
    throw Error(fmt::format(
        "unexpected output from node, asked for its version: '{}'", answer));
  }
  return fmt::format("{}, ABI {}", *major, abi);
}

Variables activated(Variables variables, const std::filesystem::path& venv) {
  put_first_in_path(variables, venv / "bin");
  variables["VIRTUAL_ENV"] = venv;
  variables.erase("PYTHONHOME");
  return variables;
}

Context in_environment(Context context, Component::Type type) {
  const auto environment = context.directory / environment_name(type);
  switch (type) {
    case Component::Type::npm:
      put_first_in_path(context.variables, environment / ".bin");
      break;
    case Component::Type::python:
      context.variables = activated(context.variables, environment);
      break;
  }
  return context;
}

}  // namespace deployment
