#include "lib/environments/store.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <limits>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

constexpr const char* label_name = ".deployment-update";

}  // namespace

Store::Store(std::shared_ptr<Directory> checkout, CommandRunner& runner,
             Context context)
    : checkout_(std::move(checkout)),
      runner_(runner),
      context_(std::move(context)),
      root_(own_folder(checkout_->path())),
      user_(context_.user) {}

bool Store::has(const fs::path& path) const {
  return checkout_->has(path);
}

bool Store::is_folder(const fs::path& path) const {
  const auto status = checkout_->look_at(path);
  return status && S_ISDIR(status->st_mode);
}

fs::path Store::live(const Component& component) const {
  return checkout_->path() / component.directory /
         environment_name(component.type);
}

fs::path Store::staged(const Component& component) const {
  return staged_tree() / component.directory / environment_name(component.type);
}

fs::path Store::shelf(const Component& component) const {
  return root_ / "environments" / component.name;
}

void Store::open_stage() {
  remove_stage();
  const ActingAs user(user_);
  checkout_->make_folders(staged_tree() / ".git");
}

void Store::write_in_stage(const std::string& name, std::string_view content) {
  const ActingAs user(user_);
  const fs::path file = stage() / name;
  checkout_->make_folders(file.parent_path());
  checkout_->folder(file.parent_path())
      .replace(file.filename().string(), content);
}

void Store::make_folder_in_stage(const fs::path& name) {
  const ActingAs user(user_);
  checkout_->make_folders(stage() / name);
}

void Store::remove_stage() {
  remove_as(user_, stage());
  require_removed(stage());
}

void Store::remove_staged(const Component& component) {
  remove_as(user_, staged(component));
  require_removed(staged(component));
}

std::optional<Label> Store::label_of(const fs::path& environment) const {
  const auto text =
      checkout_->read_regular_file(environment / label_name, longest_label);
  return text ? std::optional(parse_label(*text)) : std::nullopt;
}

std::optional<Label> Store::label_for(const Component& component,
                                      const fs::path& environment) const {
  std::optional<Label> label = label_of(environment);
  if (label && (label->folder.empty() || label->folder == live(component))) {
    label->folder.clear();
    return label;
  }
  return std::nullopt;
}

std::optional<CommitId> Store::served_by(const fs::path& environment) const {
  const ActingAs user(user_);
  return label_of(environment).value_or(Label{}).served;
}

void Store::write_label(const fs::path& environment, const Label& label) {
  checkout_->folder(environment).replace(label_name, to_text(label));
}

std::optional<Label> Store::live_label(const Component& component) const {
  const ActingAs user(user_);
  return label_for(component, live(component));
}

void Store::set_live_label(const Component& component, Label label) {
  const ActingAs user(user_);
  label.folder = live(component);
  checkout_->make_folders(live(component));
  write_label(live(component), label);
}

void Store::label_live(const Component& component, const Inputs& inputs) {
  if (!inputs.empty() && is_folder(live(component)) &&
      !has_live_label(component)) {
    set_live_label(component, {.inputs = inputs});
  }
}

std::optional<std::string> Store::live_link(const Component& component) const {
  const ActingAs user(user_);
  return checkout_->read_link(live(component));
}

bool Store::has_live_label(const Component& component) const {
  return has_file_of(component, label_name);
}

bool Store::has_file_of(const Component& component,
                        std::string_view name) const {
  std::string file = component.directory.native();
  file += '/';
  file += environment_name(component.type);
  file += '/';
  file += name;
  return checkout_->has_file(file);
}

bool Store::has_interpreter(const Component& component) const {
  return component.type != Component::Type::python ||
         has_file_of(component, "bin/python3") ||
         !is_folder(live(component));  // a link may lead out of the checkout
}

void Store::remove_live_label(const Component& component) {
  const ActingAs user(user_);
  checkout_->remove(live(component) / label_name);
}

Store::Kept Store::kept_of(const Component& component) const {
  const ActingAs user(user_);
  Kept found;
  const Directory folder = checkout_->folder(shelf(component));
  for (const std::string& name : folder.names()) {
    const auto number = parse_number(name);
    if (number &&
        *number < std::numeric_limits<int>::max()) {  // room for a next one
      found[*number] = folder.path() / name;
    }
  }
  return found;
}

std::optional<fs::path> Store::find(const Component& component,
                                    const Inputs& inputs,
                                    const CommitId& commit,
                                    Trials trials) const {
  const ActingAs user(user_);
  for (const auto& [number, environment] : kept_of(component)) {
    const std::optional<Label> label = label_for(component, environment);
    const bool is_whole = component.type != Component::Type::python ||
                          checkout_->has(environment / "bin/python3");
    if (is_whole && label && serves(*label, inputs, commit) &&
        (trials == Trials::allowed || !label->on_trial)) {
      return environment;
    }
  }
  return std::nullopt;
}

void Store::begin_trial(const fs::path& kept) {
  const ActingAs user(user_);
  Label label = label_of(kept).value_or(Label{});
  label.on_trial = true;
  write_label(kept, label);
}

void Store::end_trial(const Component& component) {
  const ActingAs user(user_);
  auto label = label_of(live(component));
  if (label && label->on_trial) {
    label->on_trial = false;
    write_label(live(component), *label);
  }
}

fs::path Store::free_place(const Component& component) {
  const ActingAs user(user_);
  checkout_->make_folders(shelf(component));
  const Kept taken = kept_of(component);
  const int number = taken.empty() ? 1 : taken.begin()->first + 1;
  return shelf(component) / std::to_string(number);
}

void Store::keep_staged(const Component& component, const Inputs& inputs) {
  const ActingAs user(user_);
  const fs::path built = staged(component);
  checkout_->make_folders(built);  // npm makes none without dependencies
  write_label(built, {.inputs = inputs, .folder = live(component)});
  if (!checkout_->rename(built, free_place(component))) {
    throw_errno(fmt::format("keep {}", built.string()));
  }
}

bool Store::exchange(const Component& component, const fs::path& kept) {
  const ActingAs user(user_);
  const fs::path newest = free_place(component);
  const fs::path in_use = live(component);
  if (!checkout_->has(in_use)) {
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
  // If this fails, it only counts as older.
  checkout_->rename(kept, newest);
  return true;
}

void Store::put_aside(const Component& component) {
  const fs::path place = free_place(component);
  const ActingAs user(user_);
  if (!checkout_->rename(live(component), place)) {
    throw_errno(fmt::format("put {} aside", live(component).string()));
  }
}

void Store::remove_left_of_labels(const Component& component) {
  const ActingAs user(user_);
  checkout_->folder(live(component)).remove_left_aside(label_name);
  for (const auto& [number, environment] : kept_of(component)) {
    checkout_->folder(environment).remove_left_aside(label_name);
  }
}

void Store::prune(const Component& component, std::size_t most,
                  const std::set<CommitId>& commits,
                  const AskUsers& service_users) {
  std::optional<Error> failure;
  for (const auto& [number, environment] : kept_of(component)) {
    if (most > 0) {
      --most;
      continue;
    }
    try {
      const auto commit = served_by(environment);
      if (!commit || !commits.contains(*commit)) {
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
