#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "lib/base/text.hpp"
#include "lib/check/questions.hpp"
#include "lib/checkout/git_locks.hpp"
#include "lib/checkout/ownership.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/deploy/other_records.hpp"
#include "lib/deploy/report.hpp"
#include "lib/model/paths.hpp"
#include "lib/plan/component_facts.hpp"
#include "lib/plan/homes.hpp"
#include "lib/plan/observe.hpp"
#include "lib/plan/refusals.hpp"

namespace deployment {
namespace {

namespace fs = std::filesystem;

uid_t uid_of(const Host& host) {
  return host.user ? host.user->uid : geteuid();
}

std::string name_of_user(const Host& host) {
  return host.user ? host.user->name : this_user().name;
}

// Advice for root to give a folder to the user that works in it.
std::string how_to_give(const Host& host, const fs::path& folder) {
  const User user = host.user ? *host.user : this_user();
  return fmt::format("give it to {0}: chown -hR {0}:{1} {2}", user.name,
                     user.gid, quoted(folder));
}

// True when the checkout's user may make, rename and remove what is in a folder
// of it.
bool may_write(const Host& host, const fs::path& folder) {
  const ActingAs user(host.user);
  const Descriptor open = host.checkout->open(folder, O_PATH);
  return open.is_open() && faccessat(open.get(), ".", W_OK, AT_EACCESS) == 0;
}

// To exchange a folder, its user has to write to it and to the one around it.
void require_writable(const Question& question, const Host& host,
                      const fs::path& folder) {
  const auto status = host.checkout->look_at(folder);
  if (!status || !S_ISDIR(status->st_mode) || may_write(host, folder)) {
    return;
  }
  const fs::path path = (host.config.repo_dir / folder).lexically_normal();
  question.found.add({.about = "folders",
                      .what = fmt::format("{} cannot write to {}",
                                          name_of_user(host), path.string()),
                      .remedy = status->st_uid == uid_of(host)
                                    ? "let him: chmod u+w " + quoted(path)
                                    : how_to_give(host, path)});
}

// A repository that a group shares has files of several people.
void look_at_git_folder(const Question& question, const Host& host) {
  const fs::path git = host.config.repo_dir / ".git";
  const auto status = host.checkout->look_at(git);
  if (status &&
      (status->st_mode & (S_ISGID | S_IWGRP)) == (S_ISGID | S_IWGRP)) {
    return;
  }
  const auto foreign = find_foreign_file(*host.checkout, git, uid_of(host));
  if (foreign) {
    question.found.add(
        {.about = "folders",
         .what =
             fmt::format("not all files below {} belong to {}: {} does not",
                         git.string(), name_of_user(host), foreign->string()),
         .remedy = how_to_give(host, git)});
  }
}

// Tells of the locks that would stop a run now.
void look_at_locks(const Question& question, const Host& host,
                   const Record& record) {
  Observation seen = observation_at(host.git.current_commit());
  seen.git_user = host.user ? std::optional(host.user->name) : std::nullopt;
  for (const GitLock& lock : find_git_locks(host.config, *host.checkout)) {
    question.found.look_at("checkout", check_again, [&] {
      static_cast<void>(removal_of(lock, host.config, record, seen));
    });
  }
}

// A component without a folder is skipped by runs, or a typing error.
void look_at_component(const Question& question, const Host& host,
                       const Record& record, const Component& component) {
  const Component home = home_of(component, record);
  for (const fs::path& folder : std::set<fs::path>{
           component.directory, home.directory, place_of(home)}) {
    require_writable(question, host, folder);
  }
  const fs::path live = host.store.live(home);
  if (const auto why = host.store.why_not_exchanged(home, live)) {
    question.found.add({.about = "folders",
                        .what = component.name + ": " + *why,
                        .remedy =
                            "look at it, and move it away or give it to the "
                            "checkout's owner"});
  }
  if (host.config.names_components) {
    require_folder(component, host.git.current_commit(), record, host.git,
                   host.store);
  }
}

void require_writable_file_system(const Question& question,
                                  const fs::path& place) {
  fs::path folder = place;
  struct statvfs status {};
  while (statvfs(folder.c_str(), &status) != 0 && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  if ((status.f_flag & ST_RDONLY) != 0) {
    question.found.add(
        {.about = "folders",
         .what =
             fmt::format("the file system of {} is read-only", place.string()),
         .remedy = fmt::format("see dmesg for the reason, then: mount -o "
                               "remount,rw $(stat -c %m {})",
                               quoted(folder))});
  }
}

// Runs go on without metrics, so they are nothing that is in the way.
void look_at_metrics(const Question& question) {
  if (question.config.metrics) {
    const fs::path folder = question.config.metrics->parent_path();
    const Descriptor open(
        ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!open.is_open() || faccessat(open.get(), ".", W_OK, AT_EACCESS) != 0) {
      question.found.note(
          {.about = "folders",
           .what = fmt::format("no metrics are written: cannot write to {}: {}",
                               folder.string(), std::strerror(errno)),
           .remedy = "make the folder, or correct the setting metrics"});
    }
  }
}

}  // namespace

Record look_at_record(const Question& question) {
  Record record;
  const fs::path& folder = *question.config.state_dir;
  question.found.look_at("folders", check_again, [&] {
    require_writable_file_system(question, folder);
    static_cast<void>(Directory::open_protected(folder));
    record = Journal(folder).record();
    question.found.saw("folders", folder.string());
  });
  look_at_metrics(question);
  question.found.look_at("folders", check_again, [&] {
    static_cast<void>(Directory::open_protected(lock_folder));
  });
  return record;
}

void look_at_folders(const Question& question, const Host& host,
                     const Record& record) {
  question.found.saw("folders",
                     fmt::format("{} of {}", host.config.repo_dir.string(),
                                 name_of_user(host)));
  const auto look_at = [&](const auto& look) {
    question.found.look_at("folders", check_again, look);
  };
  require_writable_file_system(question, host.config.repo_dir);
  look_at([&] { host.require_own(record); });
  if (geteuid() == 0) {
    look_at([&] { refuse_other_record(host); });
  }
  look_at([&] { look_at_git_folder(question, host); });
  look_at([&] { look_at_locks(question, host, record); });
  for (const Component& component : host.config.components) {
    look_at([&] { look_at_component(question, host, record, component); });
  }
}

}  // namespace deployment
