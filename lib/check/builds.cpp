#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include "lib/base/text.hpp"
#include "lib/base/watchdog.hpp"
#include "lib/check/questions.hpp"
#include "lib/environments/stage.hpp"
#include "lib/plan/homes.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

// Room for what is no environment: the tree of a commit, packs of git, a log.
constexpr std::uintmax_t least_room = 64 << 20;

struct Size {
  std::uintmax_t bytes = 0;
  std::uintmax_t files = 0;
};

// Adds up what a folder of the checkout takes on its file system.
void add_size(const Host& host, const fs::path& folder, Size& size) {
  const ActingAs user(host.user);
  const Directory top = host.checkout->folder(folder);
  std::error_code error;
  fs::recursive_directory_iterator entry(
      top.proc_path(), fs::directory_options::skip_permission_denied, error);
  for (; top.is_open() && !error && entry != fs::end(entry);
       entry.increment(error)) {
    touch_watchdog();
    struct stat status {};
    if (lstat(entry->path().c_str(), &status) == 0) {
      constexpr std::uintmax_t block = 512;
      size.bytes += block * static_cast<std::uintmax_t>(status.st_blocks);
      ++size.files;
    }
  }
}

// Lists the components as their environments have them, each place once.
std::vector<Component> homes_of(const Host& host, const Record& record) {
  std::vector<Component> homes;
  std::set<std::string> seen;
  for (const Component& component : host.config.components) {
    Component home = home_of(component, record);
    if (seen.insert(place_of(home)).second) {
      homes.push_back(std::move(home));
    }
  }
  return homes;
}

void look_for_room(const Question& question, const Host& host,
                   const Record& record) {
  Size size;
  for (const Component& home : homes_of(host, record)) {
    const fs::path live = host.store.live(home);
    add_size(host, live, size);
    for (const auto& [path, place] : host.store.places_of_outputs(home, live)) {
      add_size(host, place, size);
    }
  }
  struct statvfs status {};
  if (fstatvfs(host.checkout->fd(), &status) != 0) {
    throw_errno("look at the file system of the checkout");
  }
  const std::uintmax_t room = status.f_bavail * status.f_frsize;
  const std::uintmax_t needed = size.bytes + least_room;
  const std::string checkout = host.config.repo_dir.string();
  const std::string remedy = fmt::format(
      "make room; see what takes it: du -xhd 2 {} | sort -h", quoted(checkout));
  if (room < needed) {
    question.found.add(
        {.about = "space",
         .what =
             fmt::format("{} are free on the file system of {}, and a "
                         "deployment that builds all environments may "
                         "take {}",
                         describe_size(room), checkout, describe_size(needed)),
         .remedy = remedy});
  } else if (status.f_files != 0 && status.f_favail < size.files) {
    question.found.add(
        {.about = "space",
         .what = fmt::format("the file system of {} takes {} more files, and "
                             "the environments have {}",
                             checkout, status.f_favail, size.files),
         .remedy = remedy});
  } else {
    question.found.saw(
        "space", fmt::format("{} free, environments take {}",
                             describe_size(room), describe_size(size.bytes)));
  }
}

bool is_folder(const Host& host, const fs::path& path) {
  const auto status = host.checkout->look_at(path);
  return status && S_ISDIR(status->st_mode);
}

// An environment that is mounted cannot be renamed.
void look_for_mounts(const Question& question, const Host& host,
                     const Record& record) {
  const auto git = host.checkout->look_at(".git");
  for (const Component& home : homes_of(host, record)) {
    const fs::path live = host.store.live(home);
    const auto status = host.checkout->look_at(live);
    if (git && status && status->st_dev != git->st_dev) {
      question.found.add(
          {.about = "builds",
           .what = fmt::format("{} is on another file system than {}: it "
                               "cannot be exchanged",
                               live.string(),
                               (host.config.repo_dir / ".git").string()),
           .remedy = fmt::format("unmount it, and go on with the folder below: "
                                 "umount {}",
                                 quoted(live))});
    }
  }
}

// Exchanges two folders of its own.
void try_to_exchange(const Question& question, Host& host) {
  const fs::path git = host.config.repo_dir / ".git";
  const TemporaryDirectory folder(host.user, git);
  const ActingAs user(host.user);
  const fs::path one = folder.path() / "one";
  const fs::path other = folder.path() / "other";
  host.checkout->make_folders(one);
  host.checkout->make_folders(other);
  if (host.checkout->rename(one, other, RENAME_EXCHANGE)) {
    question.found.saw("builds", "folders are exchanged at once");
    return;
  }
  question.found.note(
      {.about = "builds",
       .what =
           fmt::format("the file system of {} cannot exchange folders ({}): "
                       "a service is without its environment for a moment",
                       git.string(), errno_text(errno)),
       .remedy = "have the checkout on ext4, xfs or btrfs"});
}

}  // namespace

void look_at_builds(const Question& question, Host& host,
                    const Record& record) {
  const auto look_at = [&](const char* remedy, const auto& look) {
    question.found.look_at("builds", remedy, look);
  };
  look_at(check_again, [&] { look_for_room(question, host, record); });
  if (host.config.build == BuildMode::in_place) {
    question.found.saw("builds", "in place, as build says");
    return;
  }
  const bool is_repository = is_folder(host, ".git");
  look_at(check_again, [&] { look_for_mounts(question, host, record); });
  if (is_repository) {
    look_at("look at the rights of .git, its file system and quotas: df -h",
            [&] { try_to_exchange(question, host); });
  }
  if (geteuid() != 0) {
    question.found.skip("whether mount namespaces can be made: only root can");
    return;
  }
  look_at(check_again, [&] {
    if (const auto why = why_not_staged(host.runner, host.as_user)) {
      question.found.add(
          {.about = "builds",
           .what = "nothing can be built aside: " + *why,
           .remedy = fmt::format(
               "{}; or, to build under the running services: set build = "
               "in-place in the configuration",
               is_repository ? "give root CAP_SYS_ADMIN, as on a host"
                             : "clone the repository there")});
    } else {
      question.found.saw("builds", "aside, in a mount namespace");
    }
  });
}

}  // namespace deployment
