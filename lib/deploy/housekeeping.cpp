#include "lib/deploy/housekeeping.hpp"

#include <fmt/format.h>

#include "lib/deploy/outputs.hpp"
#include "lib/deploy/report.hpp"
#include "lib/deploy/rollback.hpp"
#include "lib/model/transitions.hpp"
#include "lib/plan/homes.hpp"

namespace deployment {
namespace {

constexpr std::size_t kept_environments = 2;  // beside the one in use

template <typename Act>
void attempt(Host& host, const Act& act) {
  try {
    act();
  } catch (const std::exception& error) {
    host.log.warning(one_line(error.what()));
  }
}

void remove_what_is_old(Host& host, const Record& record) {
  host.store.remove_stage();
  std::set<std::string> begin_empty;
  for (const Component& component : host.config.components) {
    if (!preset_of(component).prepares.empty() &&
        host.config.build != BuildMode::in_place) {
      begin_empty.insert(component.name);
    }
  }
  host.store.remove_empties_but(begin_empty);
  const std::set<CommitId> commits = commits_to_keep(record);
  for (const Component& component : host.config.components) {
    host.store.remove_left_of_labels(home_of(component, record));
    host.store.prune(
        component, kept_environments, commits,
        [&] {
          const std::string place = place_of(home_of(component, record));
          std::vector<User> users;
          for (const Component& user : host.config.components) {
            if (place_of(home_of(user, record)) != place) {
              continue;
            }
            for (const std::string& unit : user.services) {
              users.push_back(host.systemd.user_of(unit));
            }
          }
          return users;
        },
        [&](const std::string& path, const std::filesystem::path& place) {
          host.log.warning(
              fmt::format("{}: {} was changed since it was built, or is not of "
                          "a build; it is kept as {}",
                          component.name, path, place.string()));
        });
  }
}

}  // namespace

void label_environments(Host& host, const Plan& plan, Journal& journal) {
  for (std::size_t i = 0; i < plan.components.size(); ++i) {
    const std::string& name = plan.components[i].name;
    const Component& home = plan.homes[i];
    auto components = journal.record().components;
    host.store.label_live(home, components[name].inputs);
    const auto label = host.store.live_label(home);
    if (label && host.store.has_interpreter(home)) {
      const bool is_own = home.directory == plan.components[i].directory;
      journal.write(transition::environment_labelled, name, label->inputs,
                    is_own ? "" : home.directory.string(),
                    !label->outputs.empty());
    }
  }
}

void end_trials(Host& host, const Plan& plan) {
  attempt(host, [&] {
    for (const Component& home : plan.homes) {
      host.store.end_trial(home);
    }
  });
}

void prune(Host& host, const Record& record) {
  attempt(host, [&] { take_back_halves(host, record); });
  attempt(host, [&] { remove_what_is_old(host, record); });
}

void tidy(Host& host, const Record& record) {
  attempt(host, [&] {
    remove_what_is_old(host, record);
    host.git.maintain(host.config.install_timeout);
  });
}

}  // namespace deployment
