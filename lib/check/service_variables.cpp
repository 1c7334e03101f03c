#include "lib/check/service_variables.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/check/question.hpp"

namespace deployment {
namespace {

// Adds "NAME=VALUE" to `variables`; anything else is none.
void add_variable(std::string_view text, Variables& variables) {
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos && equals > 0) {
    variables[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
}

// The variables of the service, as far as they can be read.
struct Known {
  Variables variables = {};
  bool is_complete = true;
};

void add_all(const Variables& more, Variables& variables) {
  for (const auto& [name, value] : more) {
    variables[name] = value;
  }
}

// Adds the variables of the files that the unit names.
void add_files(const std::string& files, Known& known, Findings& found) {
  for (std::string_view line : split(files, '\n')) {
    const std::string path(line.substr(0, line.rfind(" (")));
    if (access(path.c_str(), R_OK) != 0) {
      if (errno == EACCES) {
        known.is_complete = false;
        found.skip(
            fmt::format("the variables in {}, which only root reads", path));
      } else if (line.ends_with("=no)")) {
        found.add({.about = "settings",
                   .what = fmt::format("the service needs the file {}: {}",
                                       path, errno_text(errno)),
                   .remedy = "make it: touch " + quoted(path)});
      }
      continue;
    }
    found.look_at("settings", check_again, [&] {
      const auto text = read_regular_file(path);
      add_all(parse_variables_file(text.value_or("")), known.variables);
    });
  }
}

// Returns the variables of the service; nullopt when systemd does not tell.
std::optional<Known> ask_for_variables(const Config& config,
                                       const Systemd& systemd,
                                       Findings& found) {
  try {
    Known known;
    const auto manager = systemd.show("", {"Environment"});
    const auto unit = systemd.show(own_unit(config) + ".service",
                                   {"Environment", "EnvironmentFiles"});
    for (const auto& properties : {manager, unit}) {
      const auto set = properties.find("Environment");
      if (set != properties.end()) {
        add_all(parse_unit_variables(set->second), known.variables);
      }
    }
    if (const auto files = unit.find("EnvironmentFiles"); files != unit.end()) {
      add_files(files->second, known, found);
    }
    return known;
  } catch (const Error&) {  // the look at the units says why
    return std::nullopt;
  }
}

}  // namespace

Variables parse_unit_variables(std::string_view text) {
  Variables variables;
  if (const auto words = split_words(text)) {
    for (const std::string& word : *words) {
      add_variable(word, variables);
    }
    return variables;
  }
  for (const std::string_view word : split(text, ' ')) {
    add_variable(word, variables);
  }
  return variables;
}

Variables parse_variables_file(std::string_view text) {
  Variables variables;
  for (std::string_view line : split(text, '\n')) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') {
      continue;
    }
    const auto words = split_words(line);
    add_variable(
        words && words->size() == 1 ? std::string_view(words->front()) : line,
        variables);
  }
  return variables;
}

void take_variables_of_service(const Config& config, const Systemd& systemd,
                               Findings& found) {
  const auto asked = ask_for_variables(config, systemd, found);
  Variables variables = asked.value_or(Known{}).variables;
  const auto keep = [&](const std::string& name) {
    if (const char* value = std::getenv(name.c_str())) {
      variables.try_emplace(name, value);
    }
  };
  keep("PATH");
  for (const std::string& name : config.pass_environment) {
    if (asked && asked->is_complete && !variables.contains(name)) {
      found.add(
          {.about = "settings",
           .what = fmt::format("pass-environment names {}, which the service "
                               "does not have",
                               name),
           .remedy = fmt::format(
               "give it to the service, Environment={}=VALUE below [Service]: "
               "systemctl edit {}.service",
               name, own_unit(config))});
    } else if (!asked) {
      keep(name);
    }
  }
  // The user database has no home for a user whom it does not know.
  const std::string home = this_user().home;
  clearenv();
  setenv("HOME", home.c_str(), 1);
  for (const auto& [name, value] : variables) {
    setenv(name.c_str(), value.c_str(), 1);
  }
}

}  // namespace deployment
