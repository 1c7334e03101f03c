// The components, and what each of their types fills in where a section of the
// configuration says nothing.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/http_status.hpp"

namespace deployment {

// A program and its arguments.
using CommandWords = std::vector<std::string>;

// One part of the application: an environment, and the services that run on it.
struct Component {
  enum class Type { npm, python, generic };
  // Lets a running service take up another commit.
  enum class Action { restart, reload };

  std::string name;
  Type type = Type::npm;
  std::filesystem::path directory = {};               // in the checkout
  std::vector<std::filesystem::path> manifests = {};  // in `directory`
  // The folder of its environment in `directory`, and the commands that install
  // it there; empty: those of its type.
  std::string environment = {};
  std::vector<CommandWords> installs = {};
  // Units of systemd; none: nothing is restarted, as for static files.
  std::vector<std::string> services = {};
  Action action = Action::restart;
  std::optional<std::string> health_check = {};  // http or https URL
  StatusRanges health_status = {{.first = 200, .last = 399}};
  std::optional<std::string> health_command = {};           // a line for sh(1)
  std::optional<std::chrono::seconds> health_timeout = {};  // else the global
  // In the checkout. Its services are restarted when one of them changed, or
  // its environment; empty: whatever changed.
  std::vector<std::string> paths = {};
  // They make what it needs besides the install, as `npm run build` does.
  std::vector<CommandWords> builds = {};
  // They run before its services are restarted; the first that fails ends the
  // deployment. The releases change what is outside of the checkout, for one
  // the database, and run once for each commit.
  std::vector<CommandWords> checks = {};
  std::vector<CommandWords> releases = {};

  bool operator==(const Component&) const = default;
};

// Describes a type. `generic` fills in nothing; the others are what a section
// of type generic could say, and a few things that it could not.
struct Preset {
  // Files that are inputs of the environment.
  enum class Reads {
    manifests,     // those that are named
    npm,           // lock files too, and those of the workspace root
    requirements,  // also what they include
  };

  std::string_view name;              // as the configuration has it
  std::string_view manifest = {};     // empty: has to be named
  std::string_view environment = {};  // in the component's folder; likewise
  // Commands as in a configuration: they make the environment anew, and install
  // into it. Those of a component take the place of `installs`.
  std::span<const std::string_view> prepares = {};
  std::span<const std::string_view> installs = {};
  // Before each manifest at the end of the last one; empty: it names none.
  std::string_view manifest_option = {};
  // Tells people of `installs`; empty: they are shown themselves.
  std::string_view summary = {};
  Reads reads = Reads::manifests;
  // Runs what is installed: its version is an input; empty: not known.
  std::string_view runtime = {};
  // Of the environment, which is not whole without it; empty: none.
  std::string_view interpreter = {};
  bool is_venv = false;  // `installs` run as bin/activate has it
  // A build aside begins with a copy of the environment in use.
  bool begins_with_copy = false;
};

const Preset& preset_of(const Component& component);

// Returns the folder of the environment in that of the component:
// "node_modules".
std::string_view environment_of(const Component& component);

// Returns the commands that install what `manifests` ask for.
std::vector<CommandWords> installs_of(
    const Component& component,
    const std::vector<std::filesystem::path>& manifests);

// Describes commands as they are written: "npm test; sh -c 'a | b'".
std::string describe(const std::vector<CommandWords>& commands);

// "api.service, worker.service", or "no service".
std::string describe_services(const Component& component);

// Describes what of a component decides about its environment and its services:
// "npm frontend [package.json] frontend-deployment.service".
std::string configured_as(const Component& component);

// Returns the beginning of that, to which the services are added.
std::string configured_without_services(const Component& component);

// The same for each of `components`, by name.
std::map<std::string, std::string> configured_as(
    const std::vector<Component>& components);

}  // namespace deployment
