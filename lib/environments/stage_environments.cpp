// The part of stage.hpp that brings environments into the stage.
#include <algorithm>
#include <map>

#include "lib/base/text.hpp"
#include "lib/environments/installs.hpp"
#include "lib/environments/stage.hpp"

namespace deployment {
namespace fs = std::filesystem;

Command copy_folder(const fs::path& from, const fs::path& to,
                    const Context& context) {
  const auto here = [&](const fs::path& path) {
    return path.lexically_relative(context.directory).string();
  };
  Command copying = copy("copying " + from.string(),
                         {"-T", "--", here(from), here(to)}, context);
  copying.may_fail = true;
  return copying;
}

namespace {

// Copies the folder `from` to the place of the component's environment in the
// stage. Returns false when that fails: nothing of it stays then.
bool begin_with(const fs::path& from, const Component& component, Store& store,
                CommandRunner& runner, const Context& context, Log& log) {
  const bool copied =
      runner.run(copy_folder(from, store.staged(component), context))
          .status.success();
  if (!copied) {
    store.remove_staged(component);
    log.warning(fmt::format("{} could not be copied; {} installs from scratch",
                            from.string(), preset_of(component).name));
  }
  return copied;
}

}  // namespace

void begin_with_copy(const Component& component, Store& store,
                     CommandRunner& runner, const Context& context, Log& log) {
  const fs::path in_use = store.live(component);
  if (preset_of(component).begins_with_copy && store.is_folder(in_use)) {
    begin_with(in_use, component, store, runner, context, log);
  }
}

Inputs inputs_of_empty(const Component& component, Inputs inputs,
                       const Context& context) {
  const std::string_view runtime = preset_of(component).runtime;
  std::erase_if(inputs,
                [&](const auto& entry) { return entry.first != runtime; });
  inputs["program"] = program_at(runtime, context);
  return inputs;
}

bool begin_with_empty(const Component& component, const Inputs& inputs,
                      Store& store, CommandRunner& runner,
                      const Context& context, Log& log) {
  if (!store.take_empty(component, inputs)) {
    return false;
  }
  store.remove_staged(component);  // git may track something there
  const fs::path empty = store.staged_empty(component);
  const bool begun = begin_with(empty, component, store, runner, context, log);
  if (!begun) {
    store.remove_from_stage(empty);
  }
  return begun;
}

bool copy_environment(const Component& component, Store& store,
                      CommandRunner& runner, const Context& context, Log& log) {
  const fs::path in_use = store.live(component);
  std::map<fs::path, fs::path> copies = {{in_use, store.staged(component)}};
  for (const auto& [path, output] : store.outputs_of(in_use)) {
    if (!output.by_command) {
      copies[context.directory / path] = store.staged_tree() / path;
    }
  }
  const bool copied = std::ranges::all_of(copies, [&](const auto& entry) {
    const auto& [from, to] = entry;
    store.make_folder_in_stage(
        to.parent_path().lexically_relative(store.stage()));
    return runner.run(copy_folder(from, to, context)).status.success();
  });
  if (!copied) {
    for (const auto& [from, to] : copies) {
      store.remove_from_stage(to);
    }
    log.warning(fmt::format("{} could not be copied; it is installed anew",
                            in_use.string()));
  }
  return copied;
}

std::vector<Mount> show_outputs(const Component& component,
                                const fs::path& environment,
                                const std::set<std::string>& tracked,
                                Store& store, CommandRunner& runner,
                                const Context& context) {
  std::vector<Mount> mounts;
  for (const auto& [path, place] :
       store.places_of_outputs(component, environment)) {
    const fs::path target = store.staged_tree() / path;
    if (!store.has(place) || tracked.contains(path)) {
      continue;
    }
    const std::string in_stage = target.lexically_relative(store.stage());
    if (store.is_folder(place)) {
      store.make_folder_in_stage(in_stage);
    } else if (store.is_file(place)) {
      store.write_in_stage(in_stage, "");
    } else if (store.has(target)) {  // from a command before
      continue;
    } else {
      store.make_folder_in_stage(fs::path(in_stage).parent_path());
      runner.run_checked(copy(
          "copying " + path,
          {"-T", "--", place.lexically_relative(context.directory).string(),
           target.lexically_relative(context.directory).string()},
          context));
      continue;
    }
    mounts.push_back({.source = place, .target = target, .read_only = true});
  }
  return mounts;
}

Mount show_read_only(const Component& component, const fs::path& environment,
                     Store& store) {
  if (!store.is_folder(environment)) {
    throw Error(
        fmt::format("{} is no folder, and only a folder can be shown so that "
                    "nothing can be written to it; nothing was moved",
                    environment.string()),
        "have one built in its place by a run with --force");
  }
  const fs::path place = store.staged(component);
  store.make_folder_in_stage(place.lexically_relative(store.stage()));
  return {.source = environment, .target = place, .read_only = true};
}

}  // namespace deployment
