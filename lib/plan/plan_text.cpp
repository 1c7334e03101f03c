#include "lib/plan/plan_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/base/text.hpp"

namespace deployment {
namespace {

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>  // clang 14 deduces none for an aggregate
Overloaded(Functions...)->Overloaded<Functions...>;

std::string where(const Component& component) {
  return component.directory.string();
}

std::string describe_install(const Install& install) {
  if (install.component.type == Component::Type::npm) {
    return fmt::format("npm install --no-save in {}", where(install.component));
  }
  std::string files;
  for (const auto& manifest : install.facts.manifests) {
    files += " -r " + manifest.string();
  }
  return fmt::format("make {}/venv anew, pip install{}",
                     where(install.component), files);
}

}  // namespace

std::string describe(const Step& step) {
  return std::visit(
      Overloaded{
          [](const RemoveLock& s) {
            return fmt::format("remove {}: {}", s.path.string(), s.reason);
          },
          [](const Fetch& s) {
            return fmt::format(
                "fetch {}: the remote has it, the checkout does not",
                s.commit.abbreviated());
          },
          [](const Restore& s) {
            return fmt::format("restore {}: {}", fmt::join(s.paths, ", "),
                               s.reason);
          },
          [](const Checkout& s) {
            return fmt::format("check out {}: the checkout is on {}", s.to,
                               s.from ? "branch " + *s.from : "no branch");
          },
          [](const FastForward& s) {
            return fmt::format("fast-forward {} -> {}: the remote is ahead",
                               s.from ? s.from->abbreviated() : "(nothing)",
                               s.to.abbreviated());
          },
          [](const Reset& s) {
            return fmt::format("reset {} -> {}: {}{}", s.from.abbreviated(),
                               s.to.abbreviated(), s.reason,
                               s.keep
                                   ? fmt::format("; what is lost is kept as {}",
                                                 lost_ref(s.from))
                                   : "");
          },
          [](const Install& s) {
            return fmt::format("{}: {}: {}", s.component.name,
                               describe_install(s), s.reason);
          },
          [](const Build& s) {
            std::vector<std::string> parts;
            for (const Install& install : s.installs) {
              parts.push_back(fmt::format("{}: {}: {}", install.component.name,
                                          describe_install(install),
                                          install.reason));
            }
            return fmt::format("build {} aside: {}", s.commit.abbreviated(),
                               fmt::join(parts, "; "));
          },
          [](const Exchange& s) {
            return fmt::format("{}: put the {} {} into use: {}",
                               s.component.name, s.facts.kept ? "kept" : "new",
                               environment_name(s.component.type), s.reason);
          },
          [](const Restart& s) {
            return fmt::format("{}: restart {}: it runs on the new commit",
                               s.component.name, s.component.service);
          },
          [](const Skip& s) {
            std::vector<std::string> files;
            for (const auto& manifest : s.component.manifests) {
              files.push_back((s.component.directory / manifest).string());
            }
            return fmt::format("{}: skip: there is no {}", s.component.name,
                               fmt::join(files, ", "));
          },
          [](const Verify& s) {
            std::vector<std::string> units;
            for (const Component& component : s.components) {
              units.push_back(component.service);
            }
            return fmt::format("verify that {} stay up: they were restarted",
                               fmt::join(units, ", "));
          },
      },
      step);
}

std::string_view name_of(const Step& step) {
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

Json to_json(const Step& step) {
  Json::Members members = {{"step", name_of(step)}};
  if (const auto component = component_of(step)) {
    members.emplace_back("component", *component);
  }
  members.emplace_back("description", describe(step));
  return Json::object(members);
}

}  // namespace deployment
