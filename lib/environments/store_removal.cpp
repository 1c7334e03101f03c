// The part of Store that removes environments.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/environments/outputs.hpp"
#include "lib/environments/store.hpp"

namespace deployment {
namespace fs = std::filesystem;

void Store::keep_displaced(const fs::path& kept, const TellDisplaced& tell) {
  const ActingAs user(user_);
  const Outputs outputs = outputs_of(kept);
  const Directory folder = checkout_->folder(outputs_folder(kept));
  const std::vector<std::string> names = folder.names();
  const auto is_there = [&](const std::string& name) {
    return std::ranges::count(names, name) > 0;
  };
  for (const std::string& name : names) {
    const auto path = Held::path_of(name);
    const auto output = path ? outputs.find(*path) : outputs.end();
    const bool is_as_built = output != outputs.end() &&
                             identity_at(*checkout_, folder.path() / name) ==
                                 output->second.identity;
    const bool is_in_use = std::ranges::any_of(
        companion_suffixes,
        [&](const char* suffix) { return is_there(name + suffix); });
    const bool is_companion =
        std::ranges::any_of(companion_suffixes, [&](std::string_view suffix) {
          return name.ends_with(suffix) &&
                 is_there(name.substr(0, name.size() - suffix.size()));
        });
    if (is_companion || (is_as_built && !is_in_use)) {
      continue;  // moved with its database; or nobody changed it
    }
    const fs::path place = displace(folder.path() / name);
    for (const char* suffix : companion_suffixes) {
      if (is_there(name + suffix)) {
        checkout_->rename(folder.path() / (name + suffix),
                          place.string() + suffix);
      }
    }
    if (tell) {
      tell(path.value_or(name), place);
    }
  }
}

fs::path Store::displace(const fs::path& what) {
  const fs::path folder = root_ / "displaced";
  checkout_->make_folders(folder);
  for (int number = 1;; ++number) {
    fs::path place =
        folder / fmt::format("{}.{}", what.filename().string(), number);
    if (checkout_->rename(what, place, RENAME_NOREPLACE)) {
      return place;
    }
    if (errno != EEXIST) {
      throw_errno(fmt::format("keep {}", what.string()));
    }
  }
}

void Store::prune(const Component& component, std::size_t most,
                  const std::set<CommitId>& commits,
                  const AskUsers& service_users, const TellDisplaced& tell) {
  std::optional<Error> failure;
  for (const auto& [number, environment] : kept_of(component)) {
    if (most > 0) {
      --most;
      continue;
    }
    try {
      const auto commit = served_by(environment);
      if (!commit || !commits.contains(*commit)) {
        keep_displaced(environment, tell);
        remove_environment(outputs_folder(environment), service_users);
        remove_environment(environment, service_users);
      }
    } catch (const Error& error) {
      failure = error;
    }
  }
  if (failure) {
    throw *failure;
  }
}

void Store::remove_environment(const fs::path& path,
                               const AskUsers& service_users) {
  remove_as(user_, path);
  if (user_ && has(path)) {
    for (const User& user : service_users()) {
      if (!has(path)) {
        break;
      }
      if (user.uid == geteuid()) {
        checkout_->remove(path);
      } else {
        remove_as(user, path);
        remove_as(user_, path);  // the folders around
      }
    }
  }
  require_removed(path);
}

void Store::remove_as(const std::optional<User>& user, const fs::path& path) {
  if (!has(path)) {
    return;
  }
  Command remove{
      .purpose = "removing " + path.string(),
      .program = "rm",
      .arguments = {"-rf", "--one-file-system", "--", path.filename()},
      .context = context_};
  remove.context.user = user;
  remove.context.directory = path.parent_path();
  remove.context.top =
      std::make_shared<Directory>(checkout_->folder(path.parent_path()));
  runner_.run(remove);
}

void Store::require_removed(const fs::path& path) const {
  if (has(path)) {
    throw Error(
        fmt::format("cannot remove all of {}: it holds files of other users, "
                    "or another file system",
                    path.string()),
        "look at it, and remove it: rm -rf --one-file-system " + quoted(path));
  }
}

}  // namespace deployment
