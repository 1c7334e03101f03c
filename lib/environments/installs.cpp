#include "lib/environments/installs.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/text.hpp"
#include "lib/model/label.hpp"
#include "lib/process/variables.hpp"

namespace deployment {
namespace {

Command as_command(const std::string& purpose, const CommandWords& words,
                   const Context& context) {
  return {.purpose = purpose,
          .program = words.front(),
          .arguments = {words.begin() + 1, words.end()},
          .context = context};
}

std::string python_version_in(std::string_view answer) {
  constexpr std::string_view prefix = "Python ";
  if (!answer.starts_with(prefix)) {
    throw Error(
        fmt::format("unexpected output from python3 --version: '{}'", answer));
  }
  return std::string(answer.substr(prefix.size()));
}

// Reads "v18.19.0". What is compiled for a node runs on all of its major
// version: NODE_MODULE_VERSION, which it must match, is one for each
// (https://github.com/nodejs/node/blob/main/doc/abi_version_registry.json).
std::string node_version_in(std::string_view answer) {
  const std::size_t dot = answer.find('.');
  const auto major = answer.starts_with('v') && dot != std::string_view::npos
                         ? parse_number(answer.substr(1, dot - 1))
                         : std::nullopt;
  if (!major) {
    throw Error(
        fmt::format("unexpected output from node --version: '{}'", answer));
  }
  return std::to_string(*major);
}

void put_first_in_path(Variables& variables, const std::string& folder) {
  std::string& path = variables["PATH"];
  path = path.empty() ? folder : folder + ":" + path;
}

}  // namespace

Sequence install_commands(const std::string& purpose, const Context& context,
                          const Component& component,
                          const std::vector<std::filesystem::path>& manifests) {
  const Preset& preset = preset_of(component);
  Sequence commands;
  for (const std::string_view line : preset.prepares) {
    commands.push_back(as_command(purpose, split_words(line).value(), context));
  }
  const Context inside =
      preset.is_venv ? in_environment(context, component) : context;
  for (const CommandWords& words : installs_of(component, manifests)) {
    commands.push_back(as_command(purpose, words, inside));
  }
  if (preset.environment.empty()) {  // nobody knows what they do
    const std::string environment{environment_of(component)};
    commands.push_back(as_command(
        fmt::format("looking for the {} that was to be installed", environment),
        {"ls", "-d", "--", environment + "/"}, context));
  }
  return commands;
}

Command version_question(std::string_view runtime, Context context) {
  context.on_line = nullptr;
  context.longest_answer = longest_line;
  return {.purpose = fmt::format("asking {} for its version", runtime),
          .program = std::string(runtime),
          .arguments = {"--version"},
          .context = std::move(context)};
}

std::string version_in(std::string_view runtime, std::string_view answer) {
  answer = trimmed(answer);
  return runtime == node_input ? node_version_in(answer)
                               : python_version_in(answer);
}

std::string version_of(std::string_view runtime, CommandRunner& runner,
                       const Context& context) {
  return version_in(runtime,
                    runner.run_checked(version_question(runtime, context)).out);
}

std::string program_at(std::string_view program, const Context& context) {
  for (const std::string& place : places_of(program, context.variables)) {
    struct stat status {};
    if (access(place.c_str(), X_OK) == 0 && stat(place.c_str(), &status) == 0) {
      return fmt::format("{} {}.{}", place, status.st_ino,
                         status.st_ctim.tv_sec);
    }
  }
  return "";
}

Variables activated(Variables variables, const std::filesystem::path& venv) {
  put_first_in_path(variables, venv / "bin");
  variables["VIRTUAL_ENV"] = venv;
  variables.erase("PYTHONHOME");
  return variables;
}

Context in_environment(Context context, const Component& component) {
  const auto environment = context.directory / environment_of(component);
  if (preset_of(component).is_venv) {
    context.variables = activated(context.variables, environment);
  } else {
    const bool is_of_node = environment.filename() == "node_modules";
    put_first_in_path(context.variables,
                      environment / (is_of_node ? ".bin" : "bin"));
  }
  return context;
}

}  // namespace deployment
