#include "lib/deploy/stage_contents.hpp"

#include "lib/deploy/checks.hpp"
#include "lib/plan/homes.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// Returns the environment that the commit will have at a home which this build
// does not make: a kept one that is put into use, or the one in use. Adds the
// outputs of it that the commit tracks to `hidden`.
fs::path environment_at(const Component& home, std::set<std::string>& hidden,
                        Work& work) {
  for (const Step& step : work.plan->steps) {
    const auto* exchange = std::get_if<Exchange>(&step);
    if (exchange != nullptr &&
        place_of(exchange->component) == place_of(home)) {
      hidden.insert(exchange->facts.tracked.begin(),
                    exchange->facts.tracked.end());
      return kept_environment(home, exchange->facts, work);
    }
  }
  return work.host.store.live(home);
}

}  // namespace

std::set<std::string> environments_of(const Build& step, const Work& work) {
  std::set<std::string> paths;
  if (work.plan != nullptr) {
    for (const Component& home : work.plan->homes) {
      paths.insert(place_of(home));
    }
  }
  for (const Install& install : step.installs) {
    paths.insert(place_of(install.component));
  }
  return paths;
}

Layout layout_of(const Build& step, const Work& work) {
  const Host& host = work.host;
  Layout layout{.commit = step.commit,
                .has_submodules = step.has_submodules,
                .components = step.tried,
                .copied = {read_by_builds.begin(), read_by_builds.end()}};
  layout.copied.insert(layout.copied.end(), host.config.copy.begin(),
                       host.config.copy.end());
  const auto add_outputs = [&](const Component& component) {
    for (const auto& [path, unused] :
         host.store.outputs_of(host.store.live(component))) {
      layout.outputs.insert(path);
    }
  };
  for (const Component& component : host.config.components) {
    add_outputs(home_of(component, work.journal.record()));
  }
  for (const Install& install : step.installs) {
    layout.components.push_back(install.component);
    layout.components.insert(layout.components.end(), install.users.begin(),
                             install.users.end());
    add_outputs(install.component);
  }
  return layout;
}

std::vector<Mount> mounts_of_others(const Build& step, Work& work,
                                    const std::set<std::string>& made,
                                    std::set<std::string>& others) {
  Store& store = work.host.store;
  std::vector<Mount> mounts;
  std::set<std::string> seen;
  for (const Install& install : step.installs) {
    seen.insert(place_of(install.component));
  }
  for (const Component& home :
       work.plan == nullptr ? std::vector<Component>() : work.plan->homes) {
    if (!seen.insert(place_of(home)).second) {
      continue;
    }
    std::set<std::string> hidden = made;
    const fs::path environment = environment_at(home, hidden, work);
    if (store.is_folder(environment)) {
      mounts.push_back(show_read_only(home, environment, store));
    }
    const auto outputs = show_outputs(home, environment, hidden, store,
                                      work.host.runner, work.host.as_user);
    mounts.insert(mounts.end(), outputs.begin(), outputs.end());
    for (const auto& [path, unused] :
         store.places_of_outputs(home, environment)) {
      others.insert(path);
    }
  }
  return mounts;
}

}  // namespace deployment
