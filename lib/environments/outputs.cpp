#include "lib/environments/outputs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "lib/base/error.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

char kind_of(mode_t mode) {
  return S_ISREG(mode) ? 'f' : S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : 'o';
}

// The part of an identity without the time of the last change.
std::string_view thing(std::string_view identity) {
  return identity.substr(0, identity.find('@'));
}

}  // namespace

std::optional<std::string> identity_at(const Directory& checkout,
                                       const fs::path& path) {
  const Descriptor found = checkout.open(path, O_PATH);
  struct statx status {};
  if (!found.is_open() ||
      statx(found.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
            &status) != 0) {
    return std::nullopt;
  }
  const char kind = kind_of(status.stx_mode);
  const auto nanoseconds = [](const statx_timestamp& time) {
    return fmt::format("{}.{:09}", time.tv_sec, time.tv_nsec);
  };
  const bool has_birth = (status.stx_mask & STATX_BTIME) != 0;
  return fmt::format("{}{}+{}{}{}", kind, status.stx_ino,
                     has_birth ? nanoseconds(status.stx_btime) : "",
                     kind == 'f' ? "@" : "",
                     kind == 'f' ? nanoseconds(status.stx_mtime) : "");
}

bool is_same_thing(std::string_view identity, std::string_view other) {
  return thing(identity) == thing(other);
}

bool is_same_kind(std::string_view identity, std::string_view other) {
  return identity.substr(0, 1) == other.substr(0, 1);
}

fs::path Held::place(const std::string& path) const {
  std::string name;
  for (const char c : path) {
    name += c == '/' ? "%2F" : c == '%' ? "%25" : std::string(1, c);
  }
  return folder_ / name;
}

std::optional<std::string> Held::path_of(std::string_view name) {
  std::string path;
  for (; !name.empty(); name.remove_prefix(1)) {
    if (name.front() != '%') {
      path += name.front();
      continue;
    }
    if (!name.starts_with("%2F") && !name.starts_with("%25")) {
      return std::nullopt;
    }
    path += name[2] == 'F' ? '/' : '%';
    name.remove_prefix(2);
  }
  return path;
}

bool Held::exchange(const std::string& path) {
  const fs::path held = place(path);
  const bool is_here = checkout_.has(path);
  const bool is_held = checkout_.has(held);
  if (!is_here && !is_held) {
    return true;
  }
  checkout_.make_folders(folder_);
  checkout_.make_folders(fs::path(path).parent_path());
  const bool moved = is_here && is_held
                         ? checkout_.rename(path, held, RENAME_EXCHANGE)
                     : is_here ? checkout_.rename(path, held)
                               : checkout_.rename(held, path);
  if (!moved && errno != EXDEV && errno != ENOSYS && errno != EINVAL) {
    throw_errno(fmt::format("exchange {}", (checkout_.path() / path).string()));
  }
  return moved;
}

bool Held::has_companions(const Outputs& outputs) const {
  return std::ranges::any_of(outputs, [&](const auto& entry) {
    return std::ranges::any_of(companion_suffixes, [&](const char* suffix) {
      const std::string companion = entry.first + suffix;
      return !outputs.contains(companion) && checkout_.has(place(companion));
    });
  });
}

std::vector<std::string> Held::with_companions(
    const std::vector<std::string>& paths) const {
  std::vector<std::string> all;
  for (const std::string& path : paths) {
    all.push_back(path);
    for (const char* suffix : companion_suffixes) {
      const std::string companion = path + suffix;
      const bool is_there =
          checkout_.has(companion) || checkout_.has(place(companion));
      if (is_there && std::ranges::count(paths, companion) == 0) {
        all.push_back(companion);
      }
    }
  }
  return all;
}

bool Held::holds(const std::string& path, const Output& output) const {
  const auto held = identity_at(checkout_, place(path));
  return held && is_same_thing(*held, output.identity);
}

bool Held::is_live(const std::string& path, const Output& output) const {
  const auto live = identity_at(checkout_, path);
  return live && is_same_thing(*live, output.identity);
}

bool Held::holds_all(const Outputs& outputs) const {
  return std::ranges::all_of(outputs, [&](const auto& entry) {
    return holds(entry.first, entry.second);
  });
}

Exchanged exchanged(const Outputs& live, const Outputs& kept,
                    const std::set<std::string>& tracked, const Held& held) {
  Exchanged paths;
  for (const auto& [path, output] : live) {
    if (!kept.contains(path) && !tracked.contains(path) &&
        held.is_live(path, output)) {
      paths.leave.push_back(path);
    }
  }
  for (const auto& [path, output] : kept) {
    if (!tracked.contains(path) && !held.is_live(path, output)) {
      paths.come.push_back(path);
    }
  }
  return paths;
}

std::vector<std::string> half_exchanged(const Outputs& live,
                                        const Outputs& kept, const Held& held) {
  std::vector<std::string> paths;
  for (const auto& [path, output] : kept) {
    if (held.is_live(path, output)) {
      paths.push_back(path);
    }
  }
  for (const auto& [path, output] : live) {
    if (!kept.contains(path) && held.holds(path, output)) {
      paths.push_back(path);
    }
  }
  return paths;
}

void refresh(Outputs& outputs, const Directory& checkout) {
  for (auto& [path, output] : outputs) {
    const auto now = identity_at(checkout, path);
    if (now && is_same_kind(*now, output.identity)) {
      const std::string as_built = output.identity;
      output.identity = thing(*now);
      output.identity += as_built.substr(thing(as_built).size());
    }
  }
}

std::optional<std::string> unfinished_beside(const Directory& checkout,
                                             const std::string& path) {
  const auto* found = std::ranges::find_if(
      companion_suffixes,
      [&](const char* suffix) { return checkout.has(path + suffix); });
  return found == companion_suffixes.end() ? std::nullopt
                                           : std::optional(path + *found);
}

std::optional<std::string> why_immovable(const Directory& checkout,
                                         const std::string& path) {
  const auto status = checkout.look_at(path);
  const auto top = checkout.look_at(".");
  // An overlay may tell another device for a file, never for a folder.
  if (status && top && S_ISDIR(status->st_mode) &&
      status->st_dev != top->st_dev) {
    return "it is on another file system";
  }
  const auto may_write = [&](const fs::path& folder) {
    const Descriptor opened = checkout.open(folder, O_PATH);
    const std::string place = fmt::format("/proc/self/fd/{}", opened.get());
    return ::faccessat(AT_FDCWD, place.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
  };
  const fs::path above = fs::path(path).parent_path();
  const bool is_above = above.empty() || checkout.has(above);
  if (is_above && !may_write(above.empty() ? "." : above)) {
    return fmt::format("{} belongs to somebody else",
                       above.empty() ? "the checkout" : above.string());
  }
  // A folder that gets another one above it has to be written to.
  if (status && S_ISDIR(status->st_mode) && !may_write(path)) {
    return "it belongs to somebody else";
  }
  return std::nullopt;
}

std::optional<std::string> made_twice(
    const std::map<std::string, Outputs>& by_component) {
  const auto is_in = [](const std::string& path, const std::string& folder) {
    return path == folder || path.starts_with(folder + '/');
  };
  for (auto one = by_component.begin(); one != by_component.end(); ++one) {
    for (auto other = std::next(one); other != by_component.end(); ++other) {
      for (const auto& [path, unused] : one->second) {
        for (const auto& [second, unused_too] : other->second) {
          if (is_in(path, second) || is_in(second, path)) {
            return fmt::format("the builds of {} and of {} both make {}",
                               one->first, other->first,
                               path.size() < second.size() ? second : path);
          }
        }
      }
    }
  }
  return std::nullopt;
}

std::set<std::string> made_by_build(
    const std::vector<std::string>& found, const std::set<std::string>& others,
    const std::function<std::vector<std::string>(const std::string&)>&
        children) {
  std::set<std::string> made;
  for (std::string path : found) {
    if (path.ends_with('/')) {
      path.pop_back();
    }
    if (others.contains(path) || fs::path(path).filename() == "__pycache__") {
      continue;
    }
    const auto below = others.lower_bound(path + '/');
    if (below == others.end() || !below->starts_with(path + '/')) {
      made.insert(path);
      continue;
    }
    std::vector<std::string> parts;
    for (const std::string& name : children(path)) {
      parts.push_back(path + '/' + name);
    }
    made.merge(made_by_build(parts, others, children));
  }
  return made;
}

}  // namespace deployment
