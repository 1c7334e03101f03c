#include "lib/deploy/housekeeping.hpp"

#include "lib/deploy/report.hpp"
#include "lib/deploy/rollback.hpp"
#include "lib/model/transitions.hpp"

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
  const std::set<CommitId> commits = commits_to_keep(record);
  for (const Component& component : host.config.components) {
    host.store.remove_left_of_labels(component);
    host.store.prune(component, kept_environments, commits, [&] {
      std::vector<User> users;
      for (const std::string& unit : component.services) {
        users.push_back(host.systemd.user_of(unit));
      }
      return users;
    });
  }
}

}  // namespace

void label_environments(Host& host, const Plan& plan, Journal& journal) {
  for (const Component& component : plan.components) {
    auto components = journal.record().components;
    host.store.label_live(component, components[component.name].inputs);
    const auto label = host.store.live_label(component);
    if (label && host.store.has_interpreter(component)) {
      journal.write(transition::environment_labelled, component.name,
                    label->inputs);
    }
  }
}

void end_trials(Host& host, const Plan& plan) {
  attempt(host, [&] {
    for (const Component& component : plan.components) {
      host.store.end_trial(component);
    }
  });
}

void prune(Host& host, const Record& record) {
  attempt(host, [&] { remove_what_is_old(host, record); });
}

void tidy(Host& host, const Record& record) {
  attempt(host, [&] {
    remove_what_is_old(host, record);
    host.git.maintain(host.config.install_timeout);
  });
}

}  // namespace deployment
