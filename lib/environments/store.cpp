#include "lib/environments/store.hpp"

#include <cerrno>
#include <cstdio>
#include <limits>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "lib/environments/outputs.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

constexpr const char* label_name = ".deployment-update";

// A longer label could not be read.
void require_short(const Label& label, const Component& component) {
  Label longest = label;
  longest.on_trial = true;
  longest.served = CommitId::parse(std::string(64, '0'));
  if (to_text(longest).size() > longest_label) {
    throw Error(
        fmt::format("the build of {} makes {} beside its {}, more than a label "
                    "can name",
                    component.name,
                    counted(static_cast<int>(label.outputs.size()), "file"),
                    environment_of(component)),
        "let it make them in a folder of their own");
  }
}

// Leaves a folder as old as it is. npm takes its notes of what is installed for
// outdated when node_modules is newer than they are.
class KeepsTime {
 public:
  explicit KeepsTime(const Directory& folder)
      : folder_(folder), before_(folder.look_at(".")) {}
  KeepsTime(const KeepsTime&) = delete;
  KeepsTime& operator=(const KeepsTime&) = delete;
  ~KeepsTime() {
    if (before_) {
      const timespec times[] = {{0, UTIME_OMIT}, before_->st_mtim};
      futimens(folder_.fd(), times);
    }
  }

 private:
  const Directory& folder_;
  std::optional<struct stat> before_;
};

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

bool Store::is_file(const fs::path& path) const {
  const auto status = checkout_->look_at(path);
  return status && S_ISREG(status->st_mode);
}

std::optional<std::string> Store::text_of(const fs::path& path,
                                          std::size_t longest) const {
  const ActingAs user(user_);
  const auto status = checkout_->look_at(path);
  return status && static_cast<std::size_t>(status->st_size) <= longest
             ? checkout_->read_regular_file(path, longest)
             : std::nullopt;
}

fs::path Store::live(const Component& component) const {
  return checkout_->path() / component.directory / environment_of(component);
}

fs::path Store::staged(const Component& component) const {
  return staged_tree() / component.directory / environment_of(component);
}

fs::path Store::shelf(const Component& component) const {
  return root_ / "environments" / component.name;
}

void Store::open_stage() {
  remove_stage();
  const ActingAs user(user_);
  checkout_->make_folders(staged_tree() / ".git");
  checkout_->make_folders(stage() / "empty");
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
  remove_from_stage(staged(component));
}

void Store::remove_from_stage(const fs::path& path) {
  remove_as(user_, path);
  require_removed(path);
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
  Directory folder = checkout_->folder(environment);
  const KeepsTime time(folder);
  folder.replace(label_name, to_text(label));
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
  file += environment_of(component);
  file += '/';
  file += name;
  return checkout_->has_file(file);
}

bool Store::has_interpreter(const Component& component) const {
  const std::string_view interpreter = preset_of(component).interpreter;
  return interpreter.empty() || has_file_of(component, interpreter) ||
         !is_folder(live(component));  // a link may lead out of the checkout
}

void Store::remove_live_label(const Component& component) {
  const ActingAs user(user_);
  Directory folder = checkout_->folder(live(component));
  const KeepsTime time(folder);
  folder.remove(label_name);
}

Store::Kept Store::kept_of(const Component& component) const {
  const ActingAs user(user_);
  Kept found;
  const Directory folder = checkout_->folder(shelf(component));
  for (const std::string& name : folder.names()) {
    // Outputs may be there alone: of what moved in where nothing was in use.
    const auto number = parse_number(name.substr(0, name.find('.')));
    if (number &&
        *number < std::numeric_limits<int>::max()) {  // room for a next one
      const fs::path environment = folder.path() / std::to_string(*number);
      if (name == environment.filename() ||
          folder.path() / name == outputs_folder(environment)) {
        found[*number] = environment;
      }
    }
  }
  return found;
}

std::vector<fs::path> Store::kept_at(const Component& home) const {
  const ActingAs user(user_);
  std::vector<fs::path> found;
  for (const auto& [number, environment] : kept_of(home)) {
    found.push_back(environment);
  }
  const Directory shelves = checkout_->folder(root_ / "environments");
  for (const std::string& name : shelves.names()) {
    if (name == home.name) {
      continue;
    }
    for (const auto& [number, environment] : kept_of({.name = name})) {
      const std::optional<Label> label = label_of(environment);
      if (label && label->folder == live(home)) {
        found.push_back(environment);
      }
    }
  }
  return found;
}

std::optional<fs::path> Store::find(
    const Component& component, const Inputs& inputs, const CommitId& commit,
    Trials trials, const std::set<std::string>& tracked) const {
  const ActingAs user(user_);
  const std::string_view interpreter = preset_of(component).interpreter;
  for (const fs::path& environment : kept_at(component)) {
    const std::optional<Label> label = label_for(component, environment);
    const bool is_whole =
        interpreter.empty() || checkout_->has(environment / interpreter);
    if (is_whole && label && serves(*label, inputs, commit) &&
        can_be_used(*label, environment, tracked) &&
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

void Store::keep_staged(const Component& component, const Inputs& inputs,
                        const Made& made,
                        const std::set<std::string>& without) {
  const ActingAs user(user_);
  const fs::path built = staged(component);
  checkout_->make_folders(built);  // npm makes none without dependencies
  Label label = {
      .inputs = inputs, .folder = live(component), .without = without};
  for (const auto& [path, by_command] : made) {
    label.outputs[path] = {
        .identity =
            identity_at(*checkout_, staged_tree() / path).value_or("gone"),
        .by_command = by_command};
  }
  require_short(label, component);
  write_label(built, label);
  const fs::path place = free_place(component);
  if (!checkout_->rename(built, place)) {
    throw_errno(fmt::format("keep {}", built.string()));
  }
  for (const auto& [path, unused] : made) {
    const fs::path held = place_of_output(place, path);
    checkout_->make_folders(held.parent_path());
    if (!checkout_->rename(staged_tree() / path, held)) {
      throw_errno(fmt::format("keep {}", path));
    }
  }
}

void Store::remove_left_of_labels(const Component& component) {
  const ActingAs user(user_);
  checkout_->folder(live(component)).remove_left_aside(label_name);
  for (const auto& [number, environment] : kept_of(component)) {
    checkout_->folder(environment).remove_left_aside(label_name);
  }
}

}  // namespace deployment
