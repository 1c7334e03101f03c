#include "lib/environments/stage.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "lib/base/text.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

// `name` as a pattern that matches it alone.
std::string as_pattern(const std::string& name) {
  std::string pattern;
  for (const char c : name) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') {
      pattern += '\\';
    }
    pattern += c;
  }
  return pattern;
}

// The patterns of `layout` as ones of paths from the top of the checkout.
Paths patterns_of_paths(const Layout& layout) {
  std::set<std::string> folders = {""};
  for (const Component& component : layout.components) {
    const fs::path folder = component.directory.lexically_normal();
    if (folder != ".") {
      folders.insert(as_pattern(folder.generic_string()) + '/');
    }
  }
  Paths patterns;
  for (const std::string& pattern : layout.copied) {
    if (pattern.find('/') != std::string::npos) {
      patterns.push_back(pattern);
      continue;
    }
    for (const std::string& folder : folders) {
      patterns.push_back(folder + pattern);
    }
  }
  return patterns;
}

bool is_in_environment(const std::string& file,
                       const std::vector<Component>& components) {
  return std::ranges::any_of(components, [&](const Component& component) {
    const fs::path environment =
        (component.directory / environment_of(component) / "")
            .lexically_normal();
    return file.starts_with(environment.string());
  });
}

bool is_at_or_below(const std::string& file,
                    const std::set<std::string>& paths) {
  return std::ranges::any_of(paths, [&](const std::string& path) {
    return file == path || file.starts_with(path + '/');
  });
}

// Says why a file of the checkout cannot be copied; nullopt: nothing is in the
// way.
std::optional<std::string> why_left_out(const std::string& file,
                                        const Context& context) {
  const ActingAs user(context.user);
  const Descriptor found = context.top->open(file, O_PATH);
  struct stat status {};
  if (!found.is_open() || ::fstat(found.get(), &status) != 0) {
    return errno_text(errno);
  }
  if (S_ISREG(status.st_mode)) {
    const auto size = static_cast<std::uintmax_t>(status.st_size);
    if (size > largest_copy) {
      return fmt::format("it has {}, and at most {} are copied",
                         describe_size(size), describe_size(largest_copy));
    }
    if (!context.top->open(file, O_RDONLY).is_open()) {
      return errno_text(errno);
    }
  }
  return std::nullopt;
}

// The files by their folder: cp would take over the mode of a folder that it
// makes.
std::map<fs::path, Paths> by_folder(const Paths& files) {
  std::map<fs::path, Paths> folders;
  for (const std::string& file : files) {
    folders[fs::path(file).parent_path()].push_back(file);
  }
  return folders;
}

// Copies files of the checkout to the same places in the stage. Returns the
// last failure.
std::optional<CommandError> try_to_copy(const Paths& files, Store& store,
                                        CommandRunner& runner,
                                        const Context& context) {
  std::optional<CommandError> failure;
  for (const auto& [folder, names] : by_folder(files)) {
    const fs::path tree = store.staged_tree();
    const fs::path place = folder.empty() ? tree : tree / folder;
    store.make_folder_in_stage(place.lexically_relative(store.stage()));
    for (const Paths& some : batches_of(names)) {
      const Command copying =
          copy("copying files that git does not track",
               joined({"-t", place.lexically_relative(context.directory), "--"},
                      some),
               context);
      const CommandResult result = runner.run(copying);
      if (!result.status.success()) {
        failure = CommandError(copying, result);
      }
    }
  }
  return failure;
}

// Copies those that can be copied. Returns the others, each with the reason.
// Some may go while others are copied.
std::vector<std::string> copy_files(Paths files, Store& store,
                                    CommandRunner& runner,
                                    const Context& context) {
  std::vector<std::string> left_out;
  const auto leave_out = [&] {
    return std::erase_if(files, [&](const std::string& file) {
      const auto why = why_left_out(file, context);
      if (why) {
        left_out.push_back(fmt::format("{} ({})", escaped(file), *why));
      }
      return why.has_value();
    });
  };
  leave_out();
  while (const auto failure = try_to_copy(files, store, runner, context)) {
    if (leave_out() == 0) {  // it is not the files
      throw CommandError(*failure);
    }
  }
  return left_out;
}

// A sparse checkout leaves folders out (git-sparse-checkout(1)).
void require_folder(const Component& component, const Git& git,
                    const Store& store) {
  const std::string folder = component.directory.string();
  if (store.has(git.directory() / ".git/info/sparse-checkout") &&
      !store.has(store.staged_tree() / component.directory)) {
    throw Error(
        fmt::format("the checkout is sparse and leaves out {}, the folder of "
                    "{}; nothing was changed",
                    folder, component.name),
        "let it have the folder: " +
            command_as(
                git.user() ? std::optional(git.user()->name) : std::nullopt,
                fmt::format("git -C {} sparse-checkout add {}",
                            quoted(git.directory()), quoted(folder))));
  }
}

// Lays out the submodules by a repository beside the tree, which takes objects
// and settings from those of the checkout and can be removed with the stage.
void lay_out_submodules(Git& git, Store& store, const fs::path& index) {
  const fs::path own = git.directory() / ".git";
  const fs::path repository = store.stage() / "repository";
  store.write_in_stage(
      "repository/config",
      fmt::format("[include]\n\tpath = {}\n"
                  "[submodule]\n\talternateLocation = superproject\n"
                  "\talternateErrorStrategy = info\n",
                  (own / "config").lexically_relative(repository).string()));
  const fs::path objects = own / "objects";
  store.write_in_stage(
      "repository/objects/info/alternates",
      objects.lexically_relative(repository / "objects").string() + '\n');
  git.write_submodules(repository, store.staged_tree(), index);
}

}  // namespace

Command copy(std::string purpose, const Words& arguments, Context context) {
  context.timeout = 10min;
  return {.purpose = std::move(purpose),
          .program = "cp",
          .arguments = joined({"-a", "--reflink=auto"}, arguments),
          .context = std::move(context)};
}

std::optional<std::string> why_not_staged(CommandRunner& runner,
                                          Context context) {
  const fs::path checkout = context.directory;
  const auto git = context.top->look_at(".git");
  if (!git || !S_ISDIR(git->st_mode)) {
    return "the checkout's .git is not a folder";
  }
  context.mounts = {{.source = checkout, .target = checkout}};
  context.timeout = 10s;
  try {
    runner.run_checked({.purpose = "trying a mount namespace",
                        .program = "true",
                        .context = context});
    return std::nullopt;
  } catch (const MountError& error) {
    const int number = error.error_number();
    // EACCES is said by security modules, ENOSPC where the administrator allows
    // no namespace (namespaces(7)).
    for (const int refusal : {EPERM, EACCES, ENOSYS, EINVAL, ENOSPC}) {
      if (number == refusal) {
        return "no mount namespace can be made: " + errno_text(number);
      }
    }
    throw;
  }
}

StagedCommit lay_out(const Layout& layout, Git& git, Store& store,
                     CommandRunner& runner, const Context& context) {
  store.open_stage();
  const fs::path tree = store.staged_tree();
  const fs::path git_directory = context.directory / ".git";
  const fs::path index = store.stage() / "index";
  git.write_tree(layout.commit, tree, index);
  if (layout.has_submodules) {
    lay_out_submodules(git, store, index);
  }
  for (const Component& component : layout.components) {
    require_folder(component, git, store);
  }
  store.write_in_stage("HEAD", layout.commit.str() + '\n');
  Paths files = git.untracked_files(patterns_of_paths(layout));
  std::erase_if(files, [&](const auto& file) {
    return store.has(tree / file) ||
           is_in_environment(file, layout.components) ||
           is_at_or_below(file, layout.outputs);
  });
  StagedCommit staged{.left_out = copy_files(files, store, runner, context),
                      .copied = files};
  std::vector<Mount>& mounts = staged.mounts;
  mounts = {
      {.source = git_directory, .target = tree / ".git", .read_only = true},
      {.source = index, .target = tree / ".git" / "index", .read_only = true},
      {.source = store.stage() / "HEAD",
       .target = tree / ".git" / "HEAD",
       .read_only = true}};
  const fs::path scratch = fs::path("lfs") / "tmp";
  if (store.has(git_directory / scratch)) {
    // git-lfs writes there when git status compares a file.
    store.make_folder_in_stage(scratch);
    mounts.push_back(
        {.source = store.stage() / scratch, .target = tree / ".git" / scratch});
  }
  mounts.push_back({.source = tree, .target = context.directory});
  return staged;
}

}  // namespace deployment
