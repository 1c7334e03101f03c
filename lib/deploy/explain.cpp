#include "lib/deploy/explain.hpp"

#include "lib/checkout/ownership.hpp"
#include "lib/deploy/report.hpp"
#include "lib/plan/plan_text.hpp"

namespace deployment {
namespace {

constexpr std::size_t foreign_files_named = 3;

// Describes files below `folder` that do not belong to the checkout's user;
// nullopt when there are none.
std::optional<std::string> foreign_files_below(
    const Host& host, const std::filesystem::path& folder) {
  if (!host.user) {
    return std::nullopt;
  }
  const auto files = foreign_files(host.config.repo_dir, folder, host.user->uid,
                                   foreign_files_named);
  if (files.empty()) {
    return std::nullopt;
  }
  return describe_foreign_files(folder, host.user->name, files,
                                repair_command(host.config, *host.user));
}

// Returns the answer, or the error of a question that failed, as one line.
template <typename Question>
std::string answer(const Question& question) {
  try {
    return question();
  } catch (const Error& error) {
    return one_line(error.what());
  }
}

ComponentState state_of(const Host& host, const Component& component) {
  return {.name = component.name,
          .service = component.service,
          .service_state = answer([&] {
            const UnitState unit = host.systemd.state_of(component.service);
            return fmt::format("{} ({})", unit.active_state, unit.sub_state);
          }),
          .environment = environment_name(component.type),
          .made_from = answer([&] {
            const auto label = host.store.live_label(component);
            return label ? one_line(to_text(*label)) : std::string("not known");
          })};
}

}  // namespace

void say_what_begins(const Host& host, const Record& record, const Plan& plan) {
  const Change& change = *plan.change;
  host.log.info(record.roll_back_to ? "rolling back to " +
                                          describe(change.to, change.to_subject)
                                    : "deploying " + describe(change));
  if (plan.in_place_reason) {
    host.log.info("environments are built in place: " + *plan.in_place_reason);
  }
  if (const auto foreign =
          foreign_files_below(host, host.config.repo_dir / ".git")) {
    host.log.warning(*foreign);
  }
}

void say_failure(const Host& host, const Error& error) {
  std::string advice = advice_for(error);
  if (speaks_of_permission(error.what())) {
    if (const auto foreign = foreign_files_below(host, host.config.repo_dir)) {
      advice += '\n' + *foreign;
    }
  }
  host.log.error(error.what());
  host.log.error("what to do: " + advice);
}

void say_mixture(const Host& host, const CommitId& roll_back_to,
                 const std::string& step) {
  std::vector<ComponentState> states;
  for (const Component& component : host.config.components) {
    states.push_back(state_of(host, component));
  }
  const std::string commit =
      answer([&] { return host.git.current_commit().str(); });
  for (const std::string& line :
       describe_mixture(roll_back_to, step, commit, states)) {
    host.log.write(Level::critical, line);
  }
}

}  // namespace deployment
