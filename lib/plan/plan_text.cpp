// A plan in words, and as JSON.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/base/text.hpp"
#include "lib/plan/plan.hpp"

namespace deployment {
namespace {

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>  // clang 14 deduces none for an aggregate
Overloaded(Functions...)->Overloaded<Functions...>;

std::string subject_in_parentheses(const std::string& subject) {
  return subject.empty() ? "" : fmt::format(" ({})", subject);
}

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
                "fetch {}: the remote has it, the checkout "
                "has not",
                abbreviated(s.commit));
          },
          [](const Restore& s) {
            return fmt::format("restore {}: {}", fmt::join(s.paths, ", "),
                               s.reason);
          },
          [](const Checkout& s) {
            return fmt::format(
                "check out {}: the checkout is on {}", s.to,
                s.from.empty() ? "no branch" : "branch " + s.from);
          },
          [](const FastForward& s) {
            return fmt::format(
                "fast-forward {} -> {}: the remote is ahead",
                s.from.empty() ? "(nothing)" : abbreviated(s.from),
                abbreviated(s.to));
          },
          [](const Reset& s) {
            return fmt::format("reset {} -> {}: {}{}", abbreviated(s.from),
                               abbreviated(s.to), s.reason,
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
            return fmt::format("build {} aside: {}", abbreviated(s.commit),
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
  constexpr std::string_view names[] = {
      "remove-lock", "fetch",        "build", "restore",
      "checkout",    "fast-forward", "reset", "install",
      "exchange",    "restart",      "skip",  "verify"};
  static_assert(std::size(names) == std::variant_size_v<Step>);
  return names[step.index()];
}

std::string component_of(const Step& step) {
  return std::visit(
      [](const auto& s) -> std::string {
        if constexpr (requires { s.component; }) {
          return s.component.name;
        } else {
          return {};
        }
      },
      step);
}

std::string label_of(const Step& step) {
  const std::string component = component_of(step);
  return component.empty() ? std::string(name_of(step))
                           : fmt::format("{}: {}", component, name_of(step));
}

std::string lost_ref(const std::string& commit) {
  return "refs/deployment-update/lost/" + commit;
}

std::string describe_change(const Plan& plan) {
  if (plan.from == plan.to) {
    return fmt::format("{}{}", abbreviated(plan.to),
                       subject_in_parentheses(plan.to_subject));
  }
  return fmt::format("{}{} -> {}{}", abbreviated(plan.from),
                     subject_in_parentheses(plan.from_subject),
                     abbreviated(plan.to),
                     subject_in_parentheses(plan.to_subject));
}

std::string to_json(const Plan& plan) {
  std::vector<std::string> steps;
  for (const Step& step : plan.steps) {
    const std::string component = component_of(step);
    steps.push_back(fmt::format(
        R"({{"step":{},{}"description":{}}})", json_string(name_of(step)),
        component.empty()
            ? ""
            : fmt::format(R"("component":{},)", json_string(component)),
        json_string(describe(step))));
  }
  return fmt::format(
      R"({{"from":{},"from_subject":{},"to":{},"to_subject":{},"steps":[{}]}})",
      json_string(plan.from), json_string(plan.from_subject),
      json_string(plan.to), json_string(plan.to_subject),
      fmt::join(steps, ","));
}

}  // namespace deployment
