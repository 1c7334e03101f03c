#include "lib/checkout/git.hpp"

namespace deployment {
namespace {

// git pull would start housekeeping in the background, beyond the deadline
// and the log; maintain() does it at the end instead.
const Words no_maintenance = {"-c", "gc.auto=0", "-c",
                              "maintenance.auto=false"};

}  // namespace

void Git::change(std::string purpose, const Words& arguments) {
  run_checked(changing(std::move(purpose), arguments));
}

Command Git::changing(std::string purpose, const Words& arguments) const {
  Command changing =
      command(std::move(purpose), joined(no_maintenance, arguments));
  changing.context.on_line = context().on_line;
  return changing;
}

void Git::fetch() {
  change(fmt::format("fetching {} of {}", branch(), remote()),
         {"fetch", "--quiet", "--", remote(), remote_ref()});
}

void Git::checkout() {
  change("checking out " + branch(), {"checkout", "--quiet", branch(), "--"});
}

void Git::fast_forward(const CommitId& commit) {
  change("fast-forwarding to " + commit.str(),
         {"merge", "--quiet", "--ff-only", commit.str()});
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
  // From the directory that it starts in, whatever a path leads to meanwhile.
  const auto from_tree = [&](const std::filesystem::path& path) {
    return path.lexically_relative(tree).string();
  };
  write.context.variables["GIT_DIR"] = from_tree(directory() / ".git");
  write.context.variables["GIT_WORK_TREE"] = ".";
  write.context.variables["GIT_INDEX_FILE"] = from_tree(index);
  write.context.directory = tree;
  run_checked(write);
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
