#include "lib/model/component.hpp"

#include <fmt/ranges.h>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

// --no-save leaves package-lock.json alone: another npm than the one that wrote
// it would rewrite it, and git would refuse the next pull that changes it.
constexpr std::string_view npm_installs[] = {"npm install --no-save"};

constexpr Preset npm = {
    .name = "npm",
    .manifest = "package.json",
    .environment = "node_modules",
    .installs = npm_installs,
    .reads = Preset::Reads::npm,
    .runtime = "node",
    .begins_with_copy = true,
};

// Not venv/bin/pip: its first line names an interpreter by a path.
constexpr std::string_view python_prepares[] = {"rm -rf -- venv",
                                                "python3 -m venv venv"};
constexpr std::string_view python_installs[] = {
    "venv/bin/python3 -m pip install --upgrade pip",
    "venv/bin/python3 -m pip install"};

constexpr Preset python = {
    .name = "python",
    .manifest = "requirements.txt",
    .environment = "venv",
    .prepares = python_prepares,
    .installs = python_installs,
    .manifest_option = "-r",
    .summary = "pip install",
    .reads = Preset::Reads::requirements,
    .runtime = "python3",
    .interpreter = "bin/python3",
    .is_venv = true,
};

constexpr Preset generic = {.name = "generic"};

}  // namespace

const Preset& preset_of(const Component& component) {
  switch (component.type) {
    case Component::Type::npm:
      return npm;
    case Component::Type::python:
      return python;
    case Component::Type::generic:
      break;
  }
  return generic;
}

std::string_view environment_of(const Component& component) {
  return component.environment.empty() ? preset_of(component).environment
                                       : component.environment;
}

std::vector<CommandWords> installs_of(
    const Component& component,
    const std::vector<std::filesystem::path>& manifests) {
  if (!component.installs.empty()) {
    return component.installs;
  }
  const Preset& preset = preset_of(component);
  std::vector<CommandWords> commands;
  for (const std::string_view line : preset.installs) {
    commands.push_back(split_words(line).value());
  }
  if (!preset.manifest_option.empty()) {
    for (const std::filesystem::path& manifest : manifests) {
      commands.back().emplace_back(preset.manifest_option);
      commands.back().push_back(manifest);
    }
  }
  return commands;
}

std::string describe(const std::vector<CommandWords>& commands) {
  std::vector<std::string> lines;
  for (const CommandWords& command : commands) {
    std::vector<std::string> words;
    for (const std::string& word : command) {
      words.push_back(quoted(word));
    }
    lines.push_back(fmt::format("{}", fmt::join(words, " ")));
  }
  return fmt::format("{}", fmt::join(lines, "; "));
}

std::string describe_services(const Component& component) {
  std::string names;
  for (const std::string& service : component.services) {
    names += names.empty() ? "" : ", ";
    names += service;
  }
  return names.empty() ? "no service" : names;
}

std::string configured_without_services(const Component& component) {
  std::vector<std::string> manifests;
  for (const std::filesystem::path& manifest : component.manifests) {
    manifests.push_back(manifest.string());
  }
  const std::string paths =
      component.paths.empty()
          ? ""
          : fmt::format("({}) ", fmt::join(component.paths, ", "));
  const std::string builds =
      component.builds.empty()
          ? ""
          : fmt::format("(build {}) ", describe(component.builds));
  const std::string environment =
      component.environment.empty() ? "" : " -> " + component.environment;
  const std::string installs =
      component.installs.empty() ? "" : ": " + describe(component.installs);
  return fmt::format("{} {} [{}{}{}] {}{}", preset_of(component).name,
                     component.directory.string(), fmt::join(manifests, ", "),
                     environment, installs, builds, paths);
}

std::string configured_as(const Component& component) {
  return configured_without_services(component) + describe_services(component);
}

std::map<std::string, std::string> configured_as(
    const std::vector<Component>& components) {
  std::map<std::string, std::string> configured;
  for (const Component& component : components) {
    configured[component.name] = configured_as(component);
  }
  return configured;
}

}  // namespace deployment
