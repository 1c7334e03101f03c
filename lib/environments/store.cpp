#include "lib/environments/store.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "lib/base/error.hpp"
#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

constexpr const char* label_name = ".deployment-update";

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw Error(
        fmt::format("cannot create {}: {}", path.string(), error.message()));
  }
}

std::optional<Label> read_label(const fs::path& environment) {
  const fs::path path = environment / label_name;
  const Descriptor fd(
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd.is_open()) {
    return std::nullopt;
  }
  return parse_label(read_all(fd.get(), path.string()));
}

void replace_file(const fs::path& folder, const std::string& name,
                  std::string_view content) {
  const std::optional<Directory> directory = Directory::open_any(folder);
  if (!directory) {
    throw Error(fmt::format("there is no {}", folder.string()));
  }
  directory->replace(name, content);
}

void write_label(const fs::path& environment, const Label& label) {
  replace_file(environment, label_name, to_text(label));
}

// Removes `path` below `root` with this process's rights. Its user may put a
// link anywhere below meanwhile: no link is followed on the way, and
// remove_all() follows none further down.
void remove_below(const fs::path& root, const fs::path& path) {
  const Descriptor top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top.is_open()) {
    return;
  }
  const std::string parent =
      path.parent_path().lexically_relative(root).string();
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const Descriptor folder(static_cast<int>(
      syscall(SYS_openat2, top.get(), parent.c_str(), &how, sizeof(how))));
  if (!folder.is_open()) {
    if (errno == ENOENT) {
      return;
    }
    throw_errno(fmt::format("open {}", path.parent_path().string()));
  }
  std::error_code error;
  fs::remove_all(fmt::format("/proc/self/fd/{}/{}", folder.get(),
                             path.filename().string()),
                 error);
  if (error) {
    throw Error(
        fmt::format("cannot remove {}: {}", path.string(), error.message()));
  }
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

void Store::open_stage() const {
  remove_stage();
  const ActingAs user(user_);
  make_directories(staged_tree() / ".git");
}

void Store::write_in_stage(const std::string& name,
                           std::string_view content) const {
  const ActingAs user(user_);
  replace_file(stage(), name, content);
}

void Store::remove_stage() const {
  remove_below(checkout_ / ".git", stage());
}

std::optional<Label> Store::live_label(const Component& component) const {
  const ActingAs user(user_);
  return read_label(live(component));
}

void Store::set_live_label(const Component& component,
                           const Label& label) const {
  const ActingAs user(user_);
  write_label(live(component), label);
}

void Store::remove_live_label(const Component& component) const {
  const ActingAs user(user_);
  const fs::path path = live(component) / label_name;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
    throw_errno(fmt::format("remove {}", path.string()));
  }
}

std::vector<int> Store::numbers(const Component& component) const {
  std::vector<int> numbers;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(shelf(component), error)) {
    const std::string name = entry.path().filename();
    const auto number = parse_number(name);
    if (number && *number < std::numeric_limits<int>::max()) {  // has a next
      numbers.push_back(*number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::optional<fs::path> Store::find(const Component& component,
                                    const Inputs& inputs,
                                    const CommitId& commit) const {
  const ActingAs user(user_);
  const std::vector<int> all = numbers(component);
  for (auto number = all.rbegin(); number != all.rend(); ++number) {
    const fs::path kept = shelf(component) / std::to_string(*number);
    const std::optional<Label> label = read_label(kept);
    if (label && serves(*label, inputs, commit)) {
      return kept;
    }
  }
  return std::nullopt;
}

fs::path Store::free_place(const Component& component) const {
  const ActingAs user(user_);
  const std::vector<int> all = numbers(component);
  make_directories(shelf(component));
  return shelf(component) / std::to_string(all.empty() ? 1 : all.back() + 1);
}

void Store::keep_staged(const Component& component,
                        const Inputs& inputs) const {
  const fs::path place = free_place(component);
  const ActingAs user(user_);
  make_directories(staged(component));  // npm makes none without dependencies
  write_label(staged(component), {.inputs = inputs});
  if (::rename(staged(component).c_str(), place.c_str()) != 0) {
    throw_errno(fmt::format("keep {}", staged(component).string()));
  }
}

bool Store::exchange(const Component& component, const fs::path& kept) const {
  const fs::path newest = free_place(component);
  const ActingAs user(user_);
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
  ::rename(kept.c_str(), newest.c_str());  // only its age is lost if not
  return true;
}

void Store::prune(const Component& component, std::size_t most) const {
  std::vector<int> all = numbers(component);
  all.resize(all.size() - std::min(all.size(), most));
  for (const int number : all) {
    remove_below(checkout_ / ".git", shelf(component) / std::to_string(number));
  }
}

}  // namespace deployment
