#include "lib/plan/plan_text.hpp"

#include <fmt/ranges.h>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

std::string describe_install(const Install& install) {
  const Component& component = install.component;
  const Preset& preset = preset_of(component);
  if (install.only_builds) {
    return fmt::format("build with the {}", environment_of(component));
  }
  const std::string folder =
      install.directory.value_or(component.directory).string();
  std::string commands =
      describe(installs_of(component, install.facts.manifests));
  if (component.installs.empty() && !preset.summary.empty()) {
    commands = preset.summary;
    for (const auto& manifest : install.facts.manifests) {
      commands +=
          fmt::format(" {} {}", preset.manifest_option, manifest.string());
    }
  }
  return preset.prepares.empty()
             ? fmt::format("{} in {}", commands, folder)
             : fmt::format("rebuild {}/{}, {}", folder,
                           environment_of(component), commands);
}

// "the kept venv"
std::string describe_environment(const Component& component,
                                 const ComponentFacts& facts,
                                 bool in_use = false) {
  const std::string_view name = environment_of(component);
  return in_use ? fmt::format("the {} in use", name)
                : fmt::format("the {} {}", facts.kept ? "kept" : "new", name);
}

// One line for each kind of step.

std::string line_of(const RemoveLock& step) {
  return fmt::format("remove {}: {}", step.path.string(), step.reason);
}

std::string line_of(const Fetch& step) {
  return fmt::format("fetch {}: {}", step.commit.abbreviated(),
                     step.is_here ? "the checkout has no branch for it"
                                  : "the remote has it, the checkout does not");
}

std::string line_of(const Restore& step) {
  return fmt::format("restore {}: {}", fmt::join(step.paths, ", "),
                     step.reason);
}

std::string kept_as(const CommitId& commit) {
  return fmt::format("; what is lost is kept as {}", lost_ref(commit));
}

std::string line_of(const Checkout& step) {
  return fmt::format("check out {}: the checkout is on {}{}", step.to,
                     step.from ? "branch " + *step.from : "no branch",
                     step.keep ? kept_as(*step.keep) : "");
}

std::string line_of(const FastForward& step) {
  return fmt::format("fast-forward {} -> {}: the remote is ahead",
                     step.from ? step.from->abbreviated() : "(nothing)",
                     step.to.abbreviated());
}

std::string line_of(const Reset& step) {
  return fmt::format("reset {} -> {}: {}{}", step.from.abbreviated(),
                     step.to.abbreviated(), step.reason,
                     step.keep ? kept_as(step.from) : "");
}

std::string line_of(const RemoveSubmodules& step) {
  return fmt::format(
      "remove the submodules {}: the new commit has something "
      "else in their place",
      fmt::join(step.paths, ", "));
}

std::string line_of(const UpdateSubmodules& step) {
  return fmt::format(
      "update the submodules {}: to the commits that the new "
      "one names",
      fmt::join(step.paths, ", "));
}

std::string line_of(const Install& step) {
  std::vector<std::string> builds;
  for (const Component& user : components_of(step)) {
    if (!user.builds.empty()) {
      builds.push_back(describe(user.builds));
    }
  }
  return fmt::format("{}: {}{}{}: {}", fmt::join(users_of(step), ", "),
                     describe_install(step),
                     builds.empty()     ? ""
                     : step.only_builds ? " in use: "
                                        : ", then ",
                     fmt::join(builds, ", "), step.reason);
}

std::string line_of(const Check& step) {
  const std::size_t services = step.component.services.size();
  const std::string why = services == 0
                              ? "before the commit is put into use"
                              : fmt::format("{} {} to run the commit",
                                            describe_services(step.component),
                                            services == 1 ? "is" : "are");
  return fmt::format(
      "{}: check with {}: {}: {}", step.component.name,
      describe_environment(step.component, step.facts, step.in_use),
      describe(step.component.checks), why);
}

std::string line_of(const Release& step) {
  return fmt::format(
      "{}: release with {}: {}: {} was not released yet", step.component.name,
      describe_environment(step.component, step.facts, step.in_use),
      describe(step.component.releases), step.commit.abbreviated());
}

std::string line_of(const Gate& step) {
  return fmt::format(
      "ask {} whether to go on now{}", describe({step.program}),
      step.said.empty() ? "" : fmt::format("; it said: {}", step.said));
}

std::string line_of(const Build& step) {
  if (step.installs.empty()) {
    return fmt::format("lay out {} aside: checks and releases run there",
                       step.commit.abbreviated());
  }
  std::vector<std::string> parts;
  for (const Install& install : step.installs) {
    parts.push_back(line_of(install));
  }
  return fmt::format("build {} aside: {}", step.commit.abbreviated(),
                     fmt::join(parts, "; "));
}

std::string line_of(const Exchange& step) {
  return fmt::format("{}: put {} into use: {}", fmt::join(users_of(step), ", "),
                     describe_environment(step.component, step.facts),
                     step.reason);
}

std::string line_of(const PutAside& step) {
  return fmt::format("{}: put the {} aside: {}",
                     fmt::join(users_of(step), ", "),
                     environment_of(step.component), step.reason);
}

std::string line_of(const Restart& step) {
  return fmt::format(
      "{}: {} {}: {}", step.component.name, step.reloads ? "reload" : "restart",
      describe_services(step.component),
      step.may_fail ? "what is taken back runs in it; it is not watched"
                    : "to run the deployed commit");
}

std::string line_of(const Skip& step) {
  if (step.unchanged) {
    return fmt::format("{}: skip: nothing changed in {}", step.component.name,
                       fmt::join(step.component.paths, ", "));
  }
  if (step.has_no_service) {
    return fmt::format("{}: restart nothing: it has no service",
                       step.component.name);
  }
  std::vector<std::string> files;
  for (const auto& manifest : step.component.manifests) {
    files.push_back((step.component.directory / manifest).string());
  }
  return fmt::format("{}: skip: there is no {}", step.component.name,
                     fmt::join(files, ", "));
}

std::string line_of(const Verify& step) {
  std::vector<std::string> units;
  for (const Component& component : step.components) {
    units.push_back(describe_services(component));
  }
  return fmt::format("verify that the restarted services stay up: {}",
                     fmt::join(units, ", "));
}

}  // namespace

std::string describe(const Step& step) {
  return std::visit([](const auto& s) { return line_of(s); }, step);
}

std::string_view name_of(const Step& step) {
  const auto* restart = std::get_if<Restart>(&step);
  if (restart != nullptr && restart->reloads) {
    return "reload";
  }
  return std::visit([](const auto& s) { return s.name; }, step);
}

std::optional<std::string> component_of(const Step& step) {
  return std::visit(
      [](const auto& s) -> std::optional<std::string> {
        if constexpr (requires { s.component; }) {
          return s.component.name;
        } else {
          return std::nullopt;
        }
      },
      step);
}

std::string label_of(const Step& step) {
  const auto component = component_of(step);
  return component ? fmt::format("{}: {}", *component, name_of(step))
                   : std::string(name_of(step));
}

std::string describe(const CommitId& commit, const std::string& subject) {
  return subject.empty()
             ? std::string(commit.abbreviated())
             : fmt::format("{} ({})", commit.abbreviated(), subject);
}

std::string describe(const Change& change) {
  const std::string to = describe(change.to, change.to_subject);
  return change.from == change.to
             ? to
             : describe(change.from, change.from_subject) + " -> " + to;
}

std::string as_asked(const std::string& by) {
  return by.empty() ? "" : fmt::format(", as {} asked", by);
}

}  // namespace deployment
