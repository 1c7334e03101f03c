#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/check/questions.hpp"
#include "lib/check/time_span.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// Settings of hardening.conf, and what systemd shows when they are in force.
constexpr std::array hardening = {
    std::pair("NoNewPrivileges", "yes"),
    std::pair("ProtectSystem", "full strict"),
    std::pair("PrivateTmp", "yes"),
    std::pair("PrivateDevices", "yes"),
    std::pair("PrivateIPC", "yes"),
    std::pair("ProtectKernelTunables", "yes"),
    std::pair("ProtectKernelModules", "yes"),
    std::pair("ProtectKernelLogs", "yes"),
    std::pair("ProtectControlGroups", "yes"),
    std::pair("ProtectClock", "yes"),
    std::pair("ProtectHostname", "yes"),
    std::pair("ProtectProc", "invisible noaccess ptraceable"),
    std::pair("RestrictNamespaces", "mnt yes"),
    std::pair("RestrictRealtime", "yes"),
    std::pair("LockPersonality", "yes")};

constexpr std::string_view kept_capabilities =
    "cap_sys_admin cap_setuid cap_setgid cap_kill cap_dac_override cap_chown "
    "cap_fowner cap_fsetid";

constexpr const char* capabilities_key = "CapabilityBoundingSet";

std::set<std::string_view> words_of(std::string_view text) {
  std::set<std::string_view> words;
  for (const std::string_view word : split(text, ' ')) {
    if (!word.empty()) {
      words.insert(word);
    }
  }
  return words;
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const fs::path way = path.lexically_normal().lexically_relative(folder);
  return !way.empty() && *way.begin() != "..";
}

// The service of this program as systemd will run it.
class Confinement {
 public:
  Confinement(const Question& question, std::string service)
      : question_(question), service_(std::move(service)) {
    Words names = {"LoadState",      "FragmentPath",     "DropInPaths",
                   "ProtectHome",    "ReadWritePaths",   "PrivateNetwork",
                   "StateDirectory", "RuntimeDirectory", "TimeoutStartUSec",
                   capabilities_key};
    for (const auto& [name, value] : hardening) {
      names.emplace_back(name);
    }
    properties_ = question.systemd.show(service_, names);
  }

  bool is_loaded() const { return value("LoadState") == "loaded"; }

  // Returns the property; empty when this systemd does not know it.
  std::string value(const std::string& name) const {
    const auto found = properties_.find(name);
    return found == properties_.end() ? "" : found->second;
  }

  // Returns the file of the unit that has the last word on `name`.
  std::optional<std::string> file_of(std::string name) const {
    if (const std::size_t unit = name.find("USec"); unit != std::string::npos) {
      name.erase(unit, 1);  // a file says TimeoutStartSec=
    }
    std::optional<std::string> last;
    for (const char* files : {"FragmentPath", "DropInPaths"}) {
      const std::string paths = value(files);
      for (const std::string_view path : split(paths, ' ')) {
        if (sets(std::string(path), name)) {
          last = path;
        }
      }
    }
    return last;
  }

  bool has_drop_in(std::string_view name) const {
    return value("DropInPaths").find(fmt::format("/{}", name)) !=
           std::string::npos;
  }

  // Adds a setting that stops deployments.
  void refuse(const std::string& name, const std::string& consequence,
              const std::string& better) const {
    const auto file = file_of(name);
    question_.found.add(
        {.about = "confinement",
         .what = fmt::format("{} has {}={}{}: {}", service_, name, value(name),
                             file ? " from " + *file : "", consequence),
         .remedy = fmt::format("set {} below [Service]: systemctl edit {}",
                               better, service_)});
  }

  const Question& question() const { return question_; }
  const std::string& service() const { return service_; }

 private:
  static bool sets(const std::string& path, const std::string& name) {
    try {
      const auto text = path.empty() ? std::nullopt : read_regular_file(path);
      return text &&
             ('\n' + *text).find('\n' + name + '=') != std::string::npos;
    } catch (const Error&) {  // only root reads it
      return false;
    }
  }

  const Question& question_;
  std::string service_;
  std::map<std::string, std::string> properties_;
};

// Returns folders that systemd makes for a unit as paths.
std::string below(std::string_view parent, std::string_view names) {
  std::string paths;
  for (const std::string_view name : words_of(names)) {
    paths += fmt::format("{}{} ", parent, name);
  }
  return paths;
}

void require_places(const Confinement& unit) {
  const Config& config = unit.question().config;
  const std::string writable =
      fmt::format("{} {} {}", unit.value("ReadWritePaths"),
                  below("/var/lib/", unit.value("StateDirectory")),
                  below("/run/", unit.value("RuntimeDirectory")));
  const auto may_write = [&](const fs::path& path) {
    return std::ranges::any_of(words_of(writable), [&](std::string_view word) {
      word.remove_prefix(std::min(word.find_first_not_of("-+"), word.size()));
      return is_below(path, word);
    });
  };
  const std::string home = unit.value("ProtectHome");
  const std::string system = unit.value("ProtectSystem");
  for (const fs::path& path :
       {config.repo_dir, *config.state_dir, fs::path(lock_folder)}) {
    const auto is_in = [&](std::initializer_list<const char*> folders) {
      return std::ranges::any_of(
          folders, [&](const char* folder) { return is_below(path, folder); });
    };
    if (home != "no" && !home.empty() && is_in({"/home", "/root"}) &&
        !(home == "read-only" && may_write(path))) {
      unit.refuse("ProtectHome",
                  fmt::format("it cannot write to {}", path.string()),
                  "ProtectHome=no");
    }
    const bool is_protected =
        system == "strict" ||
        (system == "full" && is_in({"/usr", "/boot", "/etc"})) ||
        (system == "yes" && is_in({"/usr", "/boot"}));
    if (is_protected && !may_write(path)) {
      unit.refuse("ProtectSystem",
                  fmt::format("it cannot write to {}", path.string()),
                  "ReadWritePaths=" + path.string());
    }
    if (unit.value("PrivateTmp") == "yes" && is_in({"/tmp", "/var/tmp"})) {
      unit.refuse("PrivateTmp",
                  fmt::format("it does not see {}", path.string()),
                  "PrivateTmp=no");
    }
  }
}

void require_rights(const Confinement& unit) {
  const Config& config = unit.question().config;
  const bool builds_aside = config.build == BuildMode::staged;
  const std::string capabilities = unit.value(capabilities_key);
  const auto allowed = words_of(capabilities);
  std::vector<std::string_view> missing;
  for (const std::string_view one : words_of(kept_capabilities)) {
    if (!allowed.contains(one) && (builds_aside || one != "cap_sys_admin")) {
      missing.push_back(one);
    }
  }
  if (!capabilities.empty() && !missing.empty()) {
    std::string names = fmt::format("{}", fmt::join(missing, " "));
    std::ranges::transform(names, names.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    unit.refuse(capabilities_key, "it lacks " + names,
                fmt::format("{}={}", capabilities_key, names));
  }
  const std::string namespaces = unit.value("RestrictNamespaces");
  if (builds_aside && !namespaces.empty() && namespaces != "no" &&
      !words_of(namespaces).contains("mnt")) {
    unit.refuse("RestrictNamespaces", "nothing can be built aside",
                "RestrictNamespaces=mnt");
  }
  if (unit.value("PrivateNetwork") == "yes") {
    unit.refuse("PrivateNetwork", "it reaches no remote", "PrivateNetwork=no");
  }
  if (config.new_privileges && unit.value("NoNewPrivileges") == "yes") {
    unit.refuse("NoNewPrivileges",
                "new-privileges = true in the configuration cannot be so",
                "NoNewPrivileges=no");
  }
}

// The unit must not end a run before one of the program's own deadlines does.
void require_time(const Confinement& unit) {
  const Config& config = unit.question().config;
  const std::string limit = unit.value("TimeoutStartUSec");
  std::pair longest("install-timeout", config.install_timeout);
  const auto compare = [&](const char* key, std::chrono::seconds time) {
    if (time > longest.second) {
      longest = {key, time};
    }
  };
  compare("git-timeout", config.git_timeout);
  compare("systemctl-timeout", config.systemctl_timeout);
  compare("settle", config.settle);
  compare("health-timeout", config.health_timeout);
  for (const Component& component : config.components) {
    compare("health-timeout",
            component.health_timeout.value_or(std::chrono::seconds::zero()));
  }
  const auto end = parse_time_span(limit);
  if (end && *end <= longest.second) {
    unit.refuse("TimeoutStartUSec",
                fmt::format("systemd ends a run before {} = {} is over",
                            longest.first, longest.second.count()),
                "TimeoutStartSec=9h");
  }
  if (limit == "infinity") {
    unit.question().found.note(
        {.about = "confinement",
         .what = fmt::format("{} has no TimeoutStartSec=: a run that hangs "
                             "stops all deployments",
                             unit.service()),
         .remedy = "have deadline.conf installed again: scripts/install"});
  }
}

// Tells which protection the service does not have.
void compare_with_hardening(const Confinement& unit) {
  if (!unit.has_drop_in("hardening.conf")) {
    unit.question().found.note(
        {.about = "confinement",
         .what = fmt::format("{} runs without hardening.conf", unit.service()),
         .remedy = "have it installed again: scripts/install"});
    return;
  }
  std::vector<std::string> weaker;
  const auto add = [&](const std::string& name, const std::string& shown) {
    const auto file = unit.file_of(name);
    weaker.push_back(
        fmt::format("{}={}{}", name, shown, file ? " from " + *file : ""));
  };
  for (const auto& [name, strong] : hardening) {
    const std::string shown = unit.value(name);
    const auto words = words_of(strong);
    // RestrictNamespaces= shows a list.
    const auto has = words_of(shown);
    if (!shown.empty() && !std::ranges::includes(words, has)) {
      add(name, shown);
    }
  }
  const std::string capabilities = unit.value(capabilities_key);
  if (!std::ranges::includes(words_of(kept_capabilities),
                             words_of(capabilities))) {
    add(capabilities_key, "with more than hardening.conf keeps");
  }
  if (!weaker.empty()) {
    unit.question().found.note(
        {.about = "confinement",
         .what = fmt::format("{} is less confined than hardening.conf has it: "
                             "{}",
                             unit.service(), fmt::join(weaker, ", ")),
         .remedy = fmt::format("if nothing needs it, take it out: systemctl "
                               "edit {}",
                               unit.service())});
  }
}

}  // namespace

void look_at_confinement(const Question& question) {
  std::optional<Confinement> unit;
  try {
    unit.emplace(question, own_unit(question.config) + ".service");
  } catch (const Error&) {  // the look at the units says so
    return;
  }
  if (!unit->is_loaded()) {
    return;
  }
  require_places(*unit);
  require_rights(*unit);
  require_time(*unit);
  compare_with_hardening(*unit);
}

}  // namespace deployment
