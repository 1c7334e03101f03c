#include "lib/environments/stage.hpp"

#include <set>

#include "lib/base/text.hpp"

namespace deployment {
namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

// Copies a file or folder of the checkout.
Command copy(Context context, const fs::path& from, const fs::path& to) {
  const fs::path& top = context.directory;
  context.timeout = 10min;
  return {
      .purpose = "copying " + from.string(),
      .program = "cp",
      .arguments = {"-a", "--reflink=auto", "-T", "--",
                    from.lexically_relative(top), to.lexically_relative(top)},
      .context = context};
}

// The folders whose untracked files a build may need: the checkout's own and
// each component's.
std::set<std::string> folders_of(const std::vector<Component>& components) {
  std::set<std::string> folders = {""};
  for (const Component& component : components) {
    const fs::path folder = component.directory.lexically_normal();
    folders.insert(folder == "." ? "" : folder.generic_string());
  }
  return folders;
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
  } catch (const Error& error) {
    const std::string what = error.what();
    return "no mount namespace can be made:" + what.substr(what.rfind(':') + 1);
  }
}

std::vector<Mount> lay_out(const CommitId& commit, bool has_submodules,
                           const std::vector<Component>& components, Git& git,
                           Store& store, CommandRunner& runner,
                           const Context& context) {
  store.open_stage();
  const fs::path tree = store.staged_tree();
  const fs::path git_directory = context.directory / ".git";
  const fs::path index = store.stage() / "index";
  git.write_tree(commit, tree, index);
  if (has_submodules) {
    lay_out_submodules(git, store, index);
  }
  for (const Component& component : components) {
    require_folder(component, git, store);
  }
  store.write_in_stage("HEAD", commit.str() + '\n');
  for (const std::string& file : git.untracked_files(folders_of(components))) {
    if (!store.has(tree / file)) {
      runner.run_checked(copy(context, context.directory / file, tree / file));
    }
  }
  std::vector<Mount> mounts = {
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
  return mounts;
}

void copy_node_modules(const Component& component, const Store& store,
                       CommandRunner& runner, const Context& context,
                       Log& log) {
  const fs::path from = store.live(component);
  if (component.type != Component::Type::npm || !store.has(from)) {
    return;
  }
  const CommandResult result =
      runner.run(copy(context, from, store.staged(component)));
  if (!result.status.success()) {
    log.warning(fmt::format("{} could not be copied; npm installs from scratch",
                            from.string()));
  }
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
