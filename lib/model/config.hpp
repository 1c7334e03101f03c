// The settings, and the defaults of the original script.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deployment {

// One part of the application with a service of its own.
struct Component {
  enum class Type { npm, python };

  std::string name;
  Type type = Type::npm;
  std::filesystem::path directory = {};               // in the checkout
  std::vector<std::filesystem::path> manifests = {};  // in `directory`
  std::string service = {};                           // a systemd unit
  std::string health_check = {};                      // http URL; empty: none

  bool operator==(const Component&) const = default;
};

// "venv" or "node_modules".
std::string environment_name(Component::Type type);

enum class BuildMode { in_place, staged };

// What to do when the remote's branch does not contain the checked out commit.
enum class OnDivergence { fail, reset };

struct Config {
  std::filesystem::path repo_dir = "/home/ubuntu/sinesiAI";
  std::string remote = "origin";
  std::string branch = "prod";
  std::filesystem::path state_dir;  // empty: default_state_dir()
  std::string run_as;               // empty: the owner of the checkout
  BuildMode build = BuildMode::staged;
  OnDivergence on_divergence = OnDivergence::fail;
  bool verify_signatures = false;
  std::chrono::seconds git_timeout{120};
  std::chrono::seconds install_timeout{1800};
  std::chrono::seconds systemctl_timeout{120};
  std::chrono::seconds settle{3};          // how long a restart is watched
  std::chrono::seconds health_timeout{3};  // how long a health check may fail
  std::vector<Component> components = default_components();

  static std::vector<Component> default_components();
};

// The keys that the command line and a configuration file share.
std::vector<std::string> setting_names();

// Sets one key. Throws UsageError, one line that begins with `source` and
// names the key and what is allowed.
void set(Config& config, const std::string& key, const std::string& value,
         const std::string& source);

// Reads a configuration file's text over `config`; `source` is its path. When
// the text names any component, its components replace those of `config`.
// Throws UsageError.
void apply_config_file(Config& config, std::string_view text,
                       const std::string& source);

// $STATE_DIRECTORY, else /var/lib/deployment-update for root, else
// $XDG_STATE_HOME/deployment-update (XDG_STATE_HOME: ~/.local/state).
std::filesystem::path default_state_dir();

// Where a person who only looks finds a record: in the default, or, when a user
// has none there and root has one, in root's.
std::filesystem::path default_state_dir_to_look_at();

// Whether git accepts refs/heads/`name` (git-check-ref-format(1)).
bool is_branch_name(std::string_view name);

}  // namespace deployment
