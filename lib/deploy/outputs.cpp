#include "lib/deploy/outputs.hpp"

#include <fmt/ranges.h>

#include "lib/deploy/checks.hpp"
#include "lib/environments/outputs.hpp"
#include "lib/plan/homes.hpp"
#include "lib/plan/obstacle.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

void require_movable(const Component& component, const fs::path& kept,
                     const Host& host) {
  if (const auto why = host.store.why_not_exchanged(component, kept)) {
    throw Obstacle(
        fmt::format("{}: {}, and the build makes it anew; nothing was moved",
                    component.name, *why),
        "look at it, and move it away or give it to the checkout's owner");
  }
}

// A build cannot know what a database has that is in use: it would be replaced
// by an empty one.
void require_no_database(const Component& component, const fs::path& kept,
                         const Host& host) {
  if (const auto file = host.store.unfinished_in_place_of(component, kept)) {
    const std::string stop =
        component.services.empty()
            ? "stop what uses it"
            : fmt::format("stop what uses it (systemctl stop {})",
                          fmt::join(component.services, " "));
    throw Obstacle(
        fmt::format("{}: a database is in use where a build makes a file, of "
                    "which {} tells; nothing was moved",
                    component.name, *file),
        fmt::format("keep the database outside of the checkout, where no build "
                    "makes it; to deploy all the same, {}, and run this again",
                    stop));
  }
}

void require_one_maker(const std::map<std::string, Outputs>& by_component) {
  if (const auto twice = made_twice(by_component)) {
    throw Error(*twice + "; nothing was moved",
                "let one of them make it by a command of build, or make them "
                "one component");
  }
}

std::set<std::string> tracked_now(const Outputs& outputs, const Host& host) {
  Paths paths;
  for (const auto& [path, unused] : outputs) {
    paths.push_back(path);
  }
  return paths.empty() ? std::set<std::string>()
                       : host.git.tracked("HEAD", paths);
}

// Notes what services have put in the place of outputs. When git has one of
// them, a run was stopped after git had moved: it has noted that, and what is
// there now is git's.
void refresh_outputs(const Component& component, Host& host) {
  Store& store = host.store;
  if (tracked_now(store.outputs_of(store.live(component)), host).empty()) {
    store.refresh_outputs(component);
  }
}

// The paths that an exchange moves.
std::vector<std::string> paths_of_exchange(const Component& component,
                                           const fs::path& kept,
                                           const std::set<std::string>& tracked,
                                           Host& host) {
  const ActingAs user(host.user);
  const Store& store = host.store;
  const Held held(*host.checkout, Store::outputs_folder(kept));
  auto [paths, come] = exchanged(store.outputs_of(store.live(component)),
                                 store.outputs_of(kept), tracked, held);
  paths.insert(paths.end(), come.begin(), come.end());
  return held.with_companions(paths);
}

// Exchanges two folders, and outputs, on a file system that cannot do it at
// once. Without its label what is in use is made again, should the run end
// halfway. Returns where what was in use is kept.
fs::path move_in_turn(const Component& component, const fs::path& kept,
                      const std::set<std::string>& tracked, Host& host) {
  host.log.info(
      fmt::format("{}: the file system cannot exchange two folders; they are "
                  "moved one after the other",
                  component.name));
  Store& store = host.store;
  const auto move = [&](const fs::path& from, const fs::path& to) {
    const auto here = [&](const fs::path& path) {
      return host.checkout->relative(path).string();
    };
    if (store.has(from)) {
      host.runner.run_checked(
          {.purpose = "moving " + from.string(),
           .program = "mv",
           .arguments = {"-T", "--", here(from), here(to)},
           .context =
               host.logged(component.name, host.config.install_timeout)});
    }
  };
  const auto paths = paths_of_exchange(component, kept, tracked, host);
  const auto before = store.live_label(component);
  const bool has_outputs =
      !paths.empty() || store.has(Store::outputs_folder(kept));
  if (has_outputs) {
    store.remove_live_label(component);
    store.make_outputs_folder(kept);
  }
  for (const std::string& path : paths) {
    const fs::path place = host.checkout->path() / path;
    const fs::path held = store.place_of_output(kept, path);
    move(place, Store::aside(held));
    move(held, place);
    move(Store::aside(held), held);
  }
  fs::path newest = store.free_place(component);
  move(store.live(component), newest);
  move(kept, store.live(component));
  if (has_outputs) {
    move(Store::outputs_folder(kept), Store::outputs_folder(newest));
    store.label_moved(component, newest, before);
  }
  return newest;
}

}  // namespace

void look_at_outputs(const Plan& plan, Work& work) {
  Store& store = work.host.store;
  std::map<std::string, Outputs> by_component;
  for (const Component& home : plan.homes) {
    by_component[home.name] = store.outputs_of(store.live(home));
  }
  bool exchanges = false;
  for (const Step& step : plan.steps) {
    if (const auto* exchange = std::get_if<Exchange>(&step)) {
      const Component& component = exchange->component;
      const fs::path kept = kept_environment(component, exchange->facts, work);
      refresh_outputs(component, work.host);
      require_movable(component, kept, work.host);
      require_no_database(component, kept, work.host);
      by_component[component.name] = store.outputs_of(kept);
      exchanges = true;
    } else if (const auto* put_aside = std::get_if<PutAside>(&step)) {
      const Component& component = put_aside->component;
      refresh_outputs(component, work.host);
      require_movable(component, store.place_to_put_aside(component),
                      work.host);
    }
  }
  if (exchanges) {
    require_one_maker(by_component);
  }
}

void make_way(const Plan& plan, Work& work) {
  Store& store = work.host.store;
  for (const Step& step : plan.steps) {
    if (const auto* exchange = std::get_if<Exchange>(&step)) {
      const Component& component = exchange->component;
      refresh_outputs(component, work.host);
      store.make_way(component,
                     kept_environment(component, exchange->facts, work),
                     exchange->facts.tracked);
    } else if (const auto* put_aside = std::get_if<PutAside>(&step)) {
      const Component& component = put_aside->component;
      refresh_outputs(component, work.host);
      store.make_way(component, store.place_to_put_aside(component),
                     put_aside->tracked);
    }
  }
}

void exchange(const Component& component, const fs::path& kept, Host& host) {
  Store& store = host.store;
  const auto displaced = store.displaced_by(component, kept);
  const auto left = store.changed_ones_that_leave(component, kept);
  Outputs outputs = store.outputs_of(store.live(component));
  outputs.merge(store.outputs_of(kept));
  const auto tracked = tracked_now(outputs, host);
  const fs::path place = store.exchange(component, kept, tracked)
                             ? kept
                             : move_in_turn(component, kept, tracked, host);
  for (const std::string& path : left) {
    host.log.warning(fmt::format(
        "{}: {} was changed since a build made it, and leaves with that: it is "
        "in {} now",
        component.name, path, store.place_of_output(place, path).string()));
  }
  for (const std::string& path : displaced) {
    host.log.warning(fmt::format(
        "{}: the build makes {}, where something else stood: that is in {} "
        "now, and a rollback puts it back; data belongs outside of what builds "
        "make",
        component.name, path, store.place_of_output(place, path).string()));
  }
}

void take_back_halves(Host& host, const Record& record) {
  for (const Component& component : host.config.components) {
    const auto paths = host.store.take_back_half(
        home_of(component, record),
        [&](const auto& some) { return host.git.tracked("HEAD", some); });
    if (!paths.empty()) {
      host.log.info(
          fmt::format("{}: an exchange was stopped halfway; took back {}",
                      component.name, fmt::join(paths, ", ")));
    }
  }
}

}  // namespace deployment
