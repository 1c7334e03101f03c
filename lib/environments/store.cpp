#include "lib/environments/store.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <limits>

#include "lib/base/error.hpp"
#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

constexpr const char* label_name = ".deployment-update";

void require(const std::error_code& error, const char* action,
             const fs::path& path) {
  if (error) {
    throw Error(fmt::format("cannot {} {}: {}", action, path.string(),
                            error.message()));
  }
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  require(error, "create", path);
}

std::optional<Label> read_label(const fs::path& environment) {
  const auto text = read_regular_file(environment / label_name);
  return text ? std::optional(parse_label(*text)) : std::nullopt;
}

void write_label(const fs::path& environment, const Label& label) {
  Directory(environment).replace(label_name, to_text(label));
}

}  // namespace

Store::Store(const fs::path& checkout, std::optional<User> user)
    : checkout_(checkout),
      root_(own_folder(checkout)),
      user_(std::move(user)) {}

fs::path Store::live(const Component& component) const {
  return checkout_ / component.directory / environment_name(component.type);
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
  make_directories(staged_tree() / ".git");
}

void Store::write_in_stage(const std::string& name, std::string_view content) {
  const ActingAs user(user_);
  Directory(stage()).replace(name, content);
}

void Store::remove_stage() {
  remove(stage());
}

std::optional<Label> Store::live_label(const Component& component) const {
  const ActingAs user(user_);
  return read_label(live(component));
}

void Store::set_live_label(const Component& component, const Label& label) {
  const ActingAs user(user_);
  write_label(live(component), label);
}

void Store::remove_live_label(const Component& component) {
  const ActingAs user(user_);
  const fs::path path = live(component) / label_name;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
    throw_errno(fmt::format("remove {}", path.string()));
  }
}

Store::Kept Store::kept_of(const Component& component) const {
  Kept found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(shelf(component), error)) {
    const auto number = parse_number(entry.path().filename().string());
    if (number &&
        *number < std::numeric_limits<int>::max()) {  // room for a next one
      found[*number] = entry.path();
    }
  }
  return found;
}

std::optional<fs::path> Store::find(const Component& component,
                                    const Inputs& inputs,
                                    const CommitId& commit) const {
  const ActingAs user(user_);
  for (const auto& [number, environment] : kept_of(component)) {
    const std::optional<Label> label = read_label(environment);
    if (label && serves(*label, inputs, commit)) {
      return environment;
    }
  }
  return std::nullopt;
}

fs::path Store::free_place(const Component& component) {
  const ActingAs user(user_);
  make_directories(shelf(component));
  const Kept taken = kept_of(component);
  const int number = taken.empty() ? 1 : taken.begin()->first + 1;
  return shelf(component) / std::to_string(number);
}

void Store::keep_staged(const Component& component, const Inputs& inputs) {
  const ActingAs user(user_);
  const fs::path built = staged(component);
  make_directories(built);  // npm makes none without dependencies
  write_label(built, {.inputs = inputs});
  std::error_code error;
  fs::rename(built, free_place(component), error);
  require(error, "keep", built);
}

bool Store::exchange(const Component& component, const fs::path& kept) {
  const ActingAs user(user_);
  const fs::path newest = free_place(component);
  const fs::path in_use = live(component);
  if (!fs::exists(in_use)) {
    if (::rename(kept.c_str(), in_use.c_str()) != 0) {
      throw_errno(fmt::format("put {} in place", in_use.string()));
    }
    return true;
  }
  if (renameat2(AT_FDCWD, kept.c_str(), AT_FDCWD, in_use.c_str(),
                RENAME_EXCHANGE) != 0) {
    if (errno == EXDEV || errno == ENOSYS || errno == EINVAL) {
      return false;
    }
    throw_errno(fmt::format("exchange {}", in_use.string()));
  }
  ::rename(kept.c_str(),
           newest.c_str());  // if this fails, it only counts as older
  return true;
}

void Store::prune(const Component& component, std::size_t most) {
  for (const auto& [number, environment] : kept_of(component)) {
    if (most > 0) {
      --most;
    } else {
      remove(environment);
    }
  }
}

void Store::remove(const fs::path& path) {
  const fs::path git = checkout_ / ".git";
  const Descriptor top(
      ::open(git.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!top.is_open()) {
    return;
  }
  const fs::path parent = path.parent_path();
  const open_how how{.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                     .mode = 0,
                     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  const Descriptor folder(static_cast<int>(
      syscall(SYS_openat2, top.get(), parent.lexically_relative(git).c_str(),
              &how, sizeof(how))));
  if (!folder.is_open()) {
    if (errno == ENOENT) {
      return;
    }
    throw_errno(fmt::format("open {}", parent.string()));
  }
  std::error_code error;
  fs::remove_all(fmt::format("/proc/self/fd/{}/{}", folder.get(),
                             path.filename().string()),
                 error);
  require(error, "remove", path);
}

}  // namespace deployment
