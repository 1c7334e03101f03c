// The part of Store that exchanges environments, together with their outputs.
#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "lib/base/error.hpp"
#include "lib/environments/outputs.hpp"
#include "lib/environments/store.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

// Ends the name of what stood at a path while folders were moved in turn.
constexpr std::string_view aside_suffix = "%old";

}  // namespace

fs::path Store::outputs_folder(const fs::path& kept) {
  fs::path folder = kept;
  return folder += ".outputs";
}

void Store::make_outputs_folder(const fs::path& kept) {
  const ActingAs user(user_);
  checkout_->make_folders(outputs_folder(kept));
}

fs::path Store::aside(const fs::path& place) {
  fs::path aside = place;
  return aside += aside_suffix;
}

fs::path Store::place_of_output(const fs::path& kept,
                                const std::string& path) const {
  return Held(*checkout_, outputs_folder(kept)).place(path);
}

std::vector<std::string> Store::names_in_stage(
    const std::string& folder) const {
  const ActingAs user(user_);
  return checkout_->folder(staged_tree() / folder).names();
}

Outputs Store::outputs_of(const fs::path& environment) const {
  const ActingAs user(user_);
  return label_of(environment).value_or(Label{}).outputs;
}

std::set<std::string> Store::output_paths(const Component& component) const {
  std::set<std::string> paths;
  const ActingAs user(user_);
  const auto add = [&](const fs::path& environment) {
    const Label label = label_of(environment).value_or(Label{});
    for (const auto& [path, unused] : label.outputs) {
      paths.insert(path);
    }
    paths.insert(label.without.begin(), label.without.end());
  };
  add(live(component));
  for (const fs::path& environment : kept_at(component)) {
    add(environment);
  }
  return paths;
}

std::vector<std::string> Store::lost_outputs(const Component& component) const {
  const ActingAs user(user_);
  std::vector<std::string> lost;
  for (const auto& [path, output] : outputs_of(live(component))) {
    const auto found = identity_at(*checkout_, path);
    if (!found || !is_same_kind(*found, output.identity)) {
      lost.push_back(path);
    }
  }
  return lost;
}

bool Store::is_in_place(const std::string& path, const Output& output) const {
  const ActingAs user(user_);
  const auto found = identity_at(*checkout_, path);
  return found && is_same_thing(*found, output.identity);
}

std::map<std::string, fs::path> Store::places_of_outputs(
    const Component& component, const fs::path& environment) const {
  std::map<std::string, fs::path> places;
  for (const auto& [path, unused] : outputs_of(environment)) {
    places[path] = environment == live(component)
                       ? checkout_->path() / path
                       : place_of_output(environment, path);
  }
  return places;
}

bool Store::can_be_used(const Label& label, const fs::path& kept,
                        const std::set<std::string>& tracked) const {
  const Held held(*checkout_, outputs_folder(kept));
  // A database that was in use when it was taken back is no build's any more.
  return held.holds_all(label.outputs) && !held.has_companions(label.outputs) &&
         std::ranges::none_of(label.outputs,
                              [&](const auto& entry) {
                                return tracked.contains(entry.first);
                              }) &&
         std::ranges::includes(tracked, label.without);
}

void Store::refresh_outputs(const Component& component) {
  const ActingAs user(user_);
  std::optional<Label> label = label_of(live(component));
  if (label && !label->outputs.empty()) {
    const Label before = *label;
    refresh(label->outputs, *checkout_);
    if (*label != before) {
      write_label(live(component), *label);
    }
  }
}

bool Store::swap_around(const std::vector<std::string>& paths,
                        const fs::path& kept,
                        const std::function<bool()>& act) {
  Held held(*checkout_, outputs_folder(kept));
  std::vector<std::string> swapped;
  const auto take_back = [&] {
    for (; !swapped.empty(); swapped.pop_back()) {
      held.exchange(swapped.back());
    }
  };
  try {
    const auto all = held.with_companions(paths);
    const bool done = std::ranges::all_of(all, [&](const auto& path) {
      const bool has_moved = held.exchange(path);
      if (has_moved) {
        swapped.push_back(path);
      }
      return has_moved;
    });
    if (done) {
      const Directory folder = checkout_->folder(outputs_folder(kept));
      if (folder.is_open() && folder.names().empty()) {
        checkout_->remove(outputs_folder(kept));  // all of it is in use
      }
    }
    if (done && act()) {
      return true;
    }
  } catch (const Error&) {
    take_back();
    throw;
  }
  const int error = errno;
  take_back();
  errno = error;
  return false;
}

bool Store::exchange(const Component& component, const fs::path& kept,
                     const std::set<std::string>& tracked) {
  const ActingAs user(user_);
  const auto [leave, come] =
      exchanged(outputs_of(live(component)), outputs_of(kept), tracked,
                Held(*checkout_, outputs_folder(kept)));
  std::vector<std::string> paths = leave;
  paths.insert(paths.end(), come.begin(), come.end());
  return swap_around(paths, kept,
                     [&] { return exchange_environment(component, kept); });
}

bool Store::exchange_environment(const Component& component,
                                 const fs::path& kept) {
  const fs::path newest = free_place(component);
  const fs::path in_use = live(component);
  if (!checkout_->has(in_use)) {
    checkout_->make_folders(in_use.parent_path());
    if (!checkout_->rename(kept, in_use)) {
      throw_errno(fmt::format("put {} in place", in_use.string()));
    }
    return true;
  }
  if (!checkout_->rename(kept, in_use, RENAME_EXCHANGE)) {
    if (errno == EXDEV || errno == ENOSYS || errno == EINVAL) {
      return false;
    }
    throw_errno(fmt::format("exchange {}", in_use.string()));
  }
  // If this fails, it only counts as older; so does one with outputs, which
  // could not be moved together with it.
  if (!checkout_->has(outputs_folder(kept))) {
    checkout_->rename(kept, newest);
  }
  return true;
}

fs::path Store::place_to_put_aside(const Component& component) {
  for (const auto& [number, environment] : kept_of(component)) {
    if (!has(environment)) {
      return environment;
    }
  }
  return free_place(component);
}

void Store::put_aside(const Component& component,
                      const std::set<std::string>& tracked) {
  const fs::path place = place_to_put_aside(component);
  const ActingAs user(user_);
  const Exchanged paths = exchanged(outputs_of(live(component)), {}, tracked,
                                    Held(*checkout_, outputs_folder(place)));
  const bool done = swap_around(paths.leave, place, [&] {
    return checkout_->rename(live(component), place);
  });
  if (!done) {
    throw_errno(fmt::format("put {} aside", live(component).string()));
  }
}

void Store::make_way(const Component& component, const fs::path& kept,
                     const std::set<std::string>& tracked) {
  const ActingAs user(user_);
  Held held(*checkout_, outputs_folder(kept));
  std::vector<std::string> paths;
  for (const auto& [path, output] : outputs_of(live(component))) {
    if (tracked.contains(path) && held.is_live(path, output)) {
      paths.push_back(path);
    }
  }
  if (!swap_around(paths, kept, [] { return true; })) {
    throw_errno("put aside what a build made and the commit has");
  }
}

void Store::put_back_left_aside(const fs::path& kept) {
  const Directory folder = checkout_->folder(outputs_folder(kept));
  for (const std::string& name : folder.names()) {
    if (!name.ends_with(aside_suffix)) {
      continue;
    }
    const auto path =
        Held::path_of(name.substr(0, name.size() - aside_suffix.size()));
    if (path && !checkout_->has(*path)) {
      checkout_->rename(folder.path() / name, *path);
    }
  }
}

std::vector<std::string> Store::take_back_half(const Component& home,
                                               const TrackedOf& tracked_of) {
  std::vector<std::string> taken_back;
  for (const auto& [number, kept] : kept_of(home)) {
    if (!has(outputs_folder(kept))) {
      continue;
    }
    std::vector<std::string> paths;
    Held held(*checkout_, outputs_folder(kept));
    {
      const ActingAs user(user_);
      put_back_left_aside(kept);
      const Label label = label_of(kept).value_or(Label{});
      const fs::path in_use =
          label.folder.empty() ? live(home) : fs::path(label.folder);
      paths = half_exchanged(outputs_of(in_use), label.outputs, held);
    }
    if (paths.empty()) {
      continue;
    }
    const std::set<std::string> tracked = tracked_of(paths);
    const ActingAs user(user_);
    for (const std::string& path : paths) {
      if (tracked.contains(path)) {
        continue;
      }
      // Move back what was moved with it: that is not in its place any more.
      for (const std::string& one : held.with_companions({path})) {
        if ((one == path || !checkout_->has(one)) && held.exchange(one)) {
          taken_back.push_back(one);
        }
      }
    }
  }
  return taken_back;
}

void Store::label_moved(const Component& component, const fs::path& kept,
                        const std::optional<Label>& before) {
  const ActingAs user(user_);
  refresh_outputs(component);
  if (before) {
    Label label = *before;
    label.folder = live(component);
    for (auto& [path, output] : label.outputs) {
      const auto now = identity_at(*checkout_, place_of_output(kept, path));
      output.identity = now.value_or(output.identity);
    }
    write_label(kept, label);
  }
}

}  // namespace deployment
