#include "lib/environments/stage.hpp"

#include <set>

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

// Copies the node_modules in use, to spare a download. A copy that fails is no
// failure: npm then downloads.
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

std::vector<Mount> lay_out(const CommitId& commit,
                           const std::vector<Component>& components, Git& git,
                           Store& store, CommandRunner& runner,
                           const Context& context, Log& log) {
  store.open_stage();
  const fs::path tree = store.staged_tree();
  const fs::path git_directory = context.directory / ".git";
  const fs::path index = store.stage() / "index";
  git.write_tree(commit, tree, index);
  store.write_in_stage("HEAD", commit.str() + '\n');
  for (const std::string& file : git.untracked_files(folders_of(components))) {
    if (!store.has(tree / file)) {
      runner.run_checked(copy(context, context.directory / file, tree / file));
    }
  }
  for (const Component& component : components) {
    copy_node_modules(component, store, runner, context, log);
  }
  return {
      {.source = git_directory, .target = tree / ".git", .read_only = true},
      {.source = index, .target = tree / ".git" / "index", .read_only = true},
      {.source = store.stage() / "HEAD",
       .target = tree / ".git" / "HEAD",
       .read_only = true},
      {.source = tree, .target = context.directory}};
}

}  // namespace deployment
