// The settings, and the defaults of the original script.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/component.hpp"

namespace deployment {

enum class BuildMode { in_place, staged };

// Decides when the checkout and the remote have commits that the other lacks.
enum class OnDivergence { fail, reset };

// Decides about a commit that has submodules (gitmodules(5)).
enum class Submodules { refuse, update };

// Files beside manifests, and at the top of the checkout, that builds are known
// to read and git often does not track: patterns of gitglossary(7), glob.
inline constexpr std::array read_by_builds = {
    ".env*",   ".netrc",        ".node-version",   ".npmrc",
    ".nvmrc",  ".pnpmfile.cjs", ".python-version", ".tool-versions",
    ".yarnrc", ".yarnrc.yml",   "pip.conf"};

struct Config {
  std::filesystem::path repo_dir = "/home/ubuntu/sinesiAI";
  std::string remote = "origin";
  std::string branch = "prod";
  std::optional<std::filesystem::path> state_dir = {};  // nullopt: default
  // For Prometheus' textfile collector; nullopt: none is written.
  std::optional<std::filesystem::path> metrics = {};
  std::optional<std::string> instance = {};  // one of several on this host
  std::optional<std::string> run_as = {};    // nullopt: the checkout's owner
  bool new_privileges = false;  // that user's commands may use sudo
  std::vector<std::string> pass_environment = {};  // names of variables
  BuildMode build = BuildMode::staged;
  // Patterns of files that builds read and git does not track, besides
  // read_by_builds.
  std::vector<std::string> copy = {};
  OnDivergence on_divergence = OnDivergence::fail;
  Submodules submodules = Submodules::refuse;
  bool verify_signatures = false;
  std::chrono::seconds git_timeout{120};
  std::chrono::seconds install_timeout{1800};
  std::chrono::seconds systemctl_timeout{120};
  std::chrono::seconds settle{10};  // how long a restart is watched
  // A service may fail its checks for so long after a restart.
  std::chrono::seconds health_timeout{30};
  std::vector<Component> components = default_components();
  bool names_components = false;  // a configuration file does
  // Programs of this host: one that is asked before anything moves, and one
  // that is told when the outcome changes; empty: none.
  CommandWords gate = {};
  CommandWords notify = {};
  std::chrono::seconds notify_away{900};  // the remote may be away untold

  static std::vector<Component> default_components();

  bool operator==(const Config&) const = default;
};

// $STATE_DIRECTORY, else /var/lib/deployment-update for root, else
// $XDG_STATE_HOME/deployment-update (XDG_STATE_HOME: ~/.local/state). Of an
// instance, the folder of its name in the latter ones: a person at a prompt
// does not know what the unit has for $STATE_DIRECTORY.
std::filesystem::path default_state_dir(
    const std::optional<std::string>& instance = std::nullopt);

// Returns the state directory for a person who only looks: the default, or
// root's when the user has no record there and root has one.
std::filesystem::path default_state_dir_to_look_at(
    const std::optional<std::string>& instance = std::nullopt);

// Returns true for letters, digits, -, _ and ., of which the first is a letter
// or a digit; not record nor record.ANYTHING, since the default record is
// written as record.NUMBER and then renamed in the folder where instances have
// theirs.
bool is_instance_name(std::string_view name);

// Returns the command by which a person calls the program with `options` for
// what `config` deploys: "deployment-update --instance shop --force".
std::string command_with(const Config& config, std::string_view options);

// Returns true when git accepts refs/heads/`name` (git-check-ref-format(1)).
bool is_branch_name(std::string_view name);

}  // namespace deployment
