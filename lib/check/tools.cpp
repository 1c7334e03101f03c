#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/check/questions.hpp"
#include "lib/environments/installs.hpp"
#include "lib/services/health.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

// The first git that knows all options that a run gives it
// (git init --initial-branch).
constexpr int least_git_major = 2;
constexpr int least_git_minor = 28;

// Runs a program of the checkout's user.
CommandResult ask_tool(const Question& question, std::string purpose,
                       const std::string& program, Words arguments) {
  return question.runner.run_checked({.purpose = std::move(purpose),
                                      .program = program,
                                      .arguments = std::move(arguments),
                                      .context = question.context});
}

// Reads "git version 2.39.5"; nullopt for anything else.
std::optional<std::pair<int, int>> version_of_git(std::string_view answer) {
  constexpr std::string_view begin = "git version ";
  if (!answer.starts_with(begin)) {
    return std::nullopt;
  }
  answer.remove_prefix(begin.size());
  const auto major = parse_number(take_part(answer, '.'));
  const auto minor = parse_number(answer.substr(
      0, std::min(answer.find_first_not_of("0123456789"), answer.size())));
  return major && minor ? std::optional(std::pair(*major, *minor))
                        : std::nullopt;
}

void look_at_git(const Question& question) {
  const std::string answer =
      ask_tool(question, "looking for git", "git", {"--version"}).out;
  const auto version = version_of_git(answer);
  question.found.saw("tools", std::string(trimmed(answer)));
  if (version && *version < std::pair(least_git_major, least_git_minor)) {
    question.found.add(
        {.about = "tools",
         .what = fmt::format("{} is too old: {}.{} or newer is needed",
                             trimmed(answer), least_git_major, least_git_minor),
         .remedy = "install a newer one: apt-get install git"});
  }
}

bool uses(const Config& config, Component::Type type) {
  return std::ranges::any_of(config.components, [&](const auto& component) {
    return component.type == type;
  });
}

// Calls `look` for a program that comes with `package`.
template <typename Look>
void look_for(const Question& question, const std::string& package,
              const Look& look) {
  try {
    look();
  } catch (const Error& error) {
    question.found.add_with_remedy("tools", error, how_to_install(package));
  }
}

// Returns where a program is that runs in /; nullopt: nowhere.
std::optional<fs::path> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::vector<fs::path> places = {fs::path("/") / name};
  if (name.find('/') == std::string::npos) {
    places.clear();
    for (const auto folder :
         split(std::string_view(path == nullptr ? "" : path), ':')) {
      places.push_back(fs::path(folder) / name);
    }
  }
  const auto found = std::ranges::find_if(places, [](const fs::path& place) {
    return ::access(place.c_str(), X_OK) == 0;
  });
  return found == places.end() ? std::nullopt : std::optional(*found);
}

// Returns the first folder on the way to a file in which others than root can
// put another one in its place; nullopt: there is none.
std::optional<fs::path> folder_of_others(const fs::path& file) {
  for (fs::path folder = file.parent_path();; folder = folder.parent_path()) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) == 0 &&
        (status.st_uid != 0 ||
         ((status.st_mode & 022U) != 0 && (status.st_mode & S_ISVTX) == 0))) {
      return folder;
    }
    if (!folder.has_relative_path()) {
      return std::nullopt;
    }
  }
}

void look_at_way(const Question& question, const std::string& key,
                 const fs::path& program) {
  std::error_code error;
  for (const fs::path& path : {program, fs::canonical(program, error)}) {
    if (const auto folder = folder_of_others(path)) {
      question.found.add(
          {.about = "tools",
           .what = fmt::format(
               "{} names {}, which runs as root, and others than root can "
               "exchange it in {}",
               key, program.string(), folder->string()),
           .remedy = fmt::format("let only root write there: chown root {0} && "
                                 "chmod go-w {0}; or put it elsewhere",
                                 quoted(*folder))});
      return;
    }
  }
}

// Looks at the program of `key`, which runs as the user of this process.
void look_at_program(const Question& question, const std::string& key,
                     const CommandWords& words) {
  if (words.empty()) {
    return;
  }
  const auto place = find_program(words.front());
  const Descriptor fd(place ? ::open(place->c_str(), O_PATH | O_CLOEXEC) : -1);
  if (!fd.is_open()) {
    question.found.add(
        {.about = "tools",
         .what = fmt::format("{} names {}, which cannot be executed", key,
                             words.front()),
         .remedy = "correct the setting, or put the program there"});
    return;
  }
  if (geteuid() == 0) {
    look_at_way(question, key, *place);
  }
  if (geteuid() == 0 && others_can_write(fd.get(), *place)) {
    question.found.add(
        {.about = "tools",
         .what = fmt::format("{} names {}, which runs as root, and others than "
                             "root can write it",
                             key, place->string()),
         .remedy =
             fmt::format("give it to root: chown root {0} && chmod go-w {0}",
                         quoted(place->string()))});
  }
}

void look_at_all(const Question& question) {
  const Config& config = question.config;
  look_for(question, "git", [&] { look_at_git(question); });
  if (uses(config, Component::Type::npm)) {
    look_for(question, "nodejs", [&] {
      question.found.saw("tools", "node " + version_of("node", question.runner,
                                                       question.context));
    });
    look_for(question, "npm", [&] {
      question.found.saw(
          "tools",
          "npm " + std::string(trimmed(ask_tool(question, "looking for npm",
                                                "npm", {"--version"})
                                           .out)));
    });
  }
  if (uses(config, Component::Type::python)) {
    look_for(question, "python3", [&] {
      question.found.saw("tools",
                         "python3 " + version_of("python3", question.runner,
                                                 question.context));
      look_for(question, "python3-venv", [&] {
        ask_tool(question, "looking for venv of python3", "python3",
                 {"-c", "import ensurepip, venv"});
      });
    });
  }
  look_at_program(question, "gate", config.gate);
  look_at_program(question, "notify", config.notify);
  look_for(question, "curl", [&] {
    require_health_checks(question.runner, question.context, config.components);
  });
}

}  // namespace

void look_at_tools(const Question& question) {
  Question patient = question;
  patient.context.timeout = 30s;
  look_at_all(patient);
}

}  // namespace deployment
