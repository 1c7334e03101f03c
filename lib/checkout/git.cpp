#include "lib/checkout/git.hpp"

#include <array>

namespace deployment {
namespace {

// git pull would start housekeeping in the background, beyond the deadline
// and the log; maintain() does it at the end instead.
// Submodules have a step of their own.
const Words quietly = {"-c", "gc.auto=0",
                       "-c", "maintenance.auto=false",
                       "-c", "submodule.recurse=false"};

// A clone that was killed has no HEAD yet, and git would not go on with it.
constexpr const char* forget_half_a_clone =
    "git rev-parse --quiet --verify HEAD >/dev/null || rm -f .git";

// A path from the directory that a command starts in, whatever leads there.
std::string from(const std::filesystem::path& directory,
                 const std::filesystem::path& path) {
  return path.lexically_relative(directory).string();
}

}  // namespace

void Git::change(std::string purpose, const Words& arguments) {
  run_checked(changing(std::move(purpose), arguments));
}

Command Git::changing(std::string purpose, const Words& arguments) const {
  Command changing = command(std::move(purpose), joined(quietly, arguments));
  changing.context.on_line = context().on_line;
  return changing;
}

Results Git::fetch(const Sequence& beside) {
  const Command fetching =
      changing(fmt::format("fetching {} of {}", branch(), remote()),
               {"fetch", "--quiet", "--no-recurse-submodules", "--", remote(),
                remote_ref()});
  std::vector<Results> results =
      runner().run_sequences(std::array{Sequence{fetching}, beside});
  require_success(fetching, results.front().front());
  return results.back();
}

void Git::checkout() {
  change("checking out " + branch(),
         {"checkout", "--quiet", "--no-overwrite-ignore", branch(), "--"});
}

void Git::fast_forward(const CommitId& commit) {
  change(
      "fast-forwarding to " + commit.str(),
      {"merge", "--quiet", "--ff-only", "--no-overwrite-ignore", commit.str()});
}

void Git::reset(const CommitId& commit) {
  // To reset, a file whose times changed is a file that changed.
  runner().run(changing("looking at the work tree",
                        {"update-index", "-q", "--refresh"}));
  change("resetting to " + commit.str(),
         {"reset", "--quiet", "--keep", commit.str(), "--"});
}

void Git::keep(const std::string& ref, const CommitId& commit) {
  change("keeping " + commit.str(), {"update-ref", ref, commit.str()});
}

void Git::restore(const Paths& paths) {
  for (const Paths& some : batches_of(paths)) {
    const auto tracked = list_tree("HEAD", some);
    Paths kept;
    for (const std::string& path : some) {
      if (tracked.contains(path)) {
        kept.push_back(path);
      } else {  // first: it may free the space
        remove_file(path);
      }
    }
    change("unstaging", joined({"reset", "--quiet", "HEAD", "--"}, some));
    if (!kept.empty()) {
      change("restoring files",
             joined({"checkout", "--quiet", "HEAD", "--"}, kept));
    }
  }
}

void Git::write_tree(const CommitId& commit, const std::filesystem::path& tree,
                     const std::filesystem::path& index) {
  Command write = changing("laying out " + commit.str(),
                           {"read-tree", "--reset", "-u", commit.str()});
  write.context.variables["GIT_DIR"] = from(tree, directory() / ".git");
  write.context.variables["GIT_WORK_TREE"] = ".";
  write.context.variables["GIT_INDEX_FILE"] = from(tree, index);
  write.context.directory = tree;
  run_checked(write);
}

Paths GitReader::untracked_in(const std::filesystem::path& tree,
                              const std::filesystem::path& index) const {
  Command listing =
      command("looking for what was built",
              {"-c", "core.fsmonitor=false", "ls-files", "-z", "--others",
               "--directory", "--no-empty-directory"});
  listing.context.variables["GIT_DIR"] = from(tree, directory() / ".git");
  listing.context.variables["GIT_WORK_TREE"] = ".";
  listing.context.variables["GIT_INDEX_FILE"] = from(tree, index);
  listing.context.directory = tree;
  return parse_paths(run_checked(listing).out, "ls-files");
}

void Git::remove_submodules(const Paths& paths) {
  change("removing submodules",
         joined({"submodule", "--quiet", "deinit", "--"}, paths));
}

void Git::update_submodules() {
  runner().run(changing(
      "looking at the submodules",
      {"submodule", "--quiet", "foreach", "--recursive", forget_half_a_clone}));
  change("updating the submodules",
         {"submodule", "--quiet", "update", "--init", "--recursive"});
}

void Git::write_submodules(const std::filesystem::path& repository,
                           const std::filesystem::path& tree,
                           const std::filesystem::path& index) {
  const auto in_tree = [&](std::string purpose, const Words& arguments) {
    Command command = changing(std::move(purpose), arguments);
    command.context.variables["GIT_DIR"] = from(tree, repository);
    command.context.variables["GIT_WORK_TREE"] = ".";
    command.context.variables["GIT_INDEX_FILE"] = from(tree, index);
    command.context.directory = tree;
    return command;
  };
  run_checked(in_tree(
      "preparing for submodules",
      {"init", "--quiet", "--template=", "--initial-branch=" + branch()}));
  run_checked(
      in_tree("laying out the submodules",
              {"submodule", "--quiet", "update", "--init", "--recursive"}));
  Command listing = in_tree("listing the submodules",
                            {"submodule", "--quiet", "foreach", "--recursive",
                             R"(printf '%s/.git\0' "$displaypath")"});
  listing.context.on_line = nullptr;
  const Paths files = parse_paths(run_checked(listing).out, "submodule");
  for (const Paths& some : batches_of(files)) {
    Command remove =
        in_tree("separating the submodules", joined({"-f", "--"}, some));
    remove.program = "rm";
    remove.arguments = joined({"-f", "--"}, some);
    runner().run_checked(remove);
  }
}

void Git::remove_file(const std::filesystem::path& path) {
  Command remove = command(
      "removing " + path.string(),
      {"-f", "--",
       path.is_absolute() ? path.lexically_relative(directory()) : path});
  remove.program = "rm";
  runner().run_checked(remove);
}

void Git::maintain(std::chrono::milliseconds timeout) {
  Command gc = command("tidying the repository", {"-c", "gc.autoDetach=false",
                                                  "gc", "--auto", "--quiet"});
  gc.context.timeout = timeout;
  runner().run_checked(gc);
}

}  // namespace deployment
