// Lays a commit out aside, so that its environments are built under their final
// path but in private.
#pragma once

#include "lib/base/log.hpp"
#include "lib/checkout/git.hpp"
#include "lib/environments/store.hpp"

namespace deployment {

// Says why nothing can be built aside here: the kernel makes no mount namespace
// for this process (EPERM, EACCES, ENOSYS, EINVAL or ENOSPC), or .git is not a
// folder; nullopt when it can. `context` has the checkout as its directory, and
// its user. Throws Error when that cannot be told.
std::optional<std::string> why_not_staged(CommandRunner& runner,
                                          Context context);

// A commit, and what of the checkout is copied beside its files.
struct Layout {
  CommitId commit;
  bool has_submodules = false;
  std::vector<Component> components = {};
  // Patterns of gitglossary(7), glob: of names of files at the top of the
  // checkout and in the folders of `components` or, with a slash, of paths.
  std::vector<std::string> copied = {};
  // Paths of what builds made: they are not copied.
  std::set<std::string> outputs = {};
};

// No larger file is copied into the stage.
constexpr std::uintmax_t largest_copy = 64 << 20;

struct StagedCommit {
  // They show the stage to a command at the path of the checkout, where git
  // sees the commit checked out and cannot write.
  std::vector<Mount> mounts = {};
  // Files that were to be copied and are not, each with the reason: they cannot
  // be read, are too large, or are gone.
  std::vector<std::string> left_out = {};
  std::vector<std::string> copied = {};  // the others
};

// Writes a commit into the stage of `store`, with its submodules, and the files
// that it lacks, git does not track, and `layout` names.
StagedCommit lay_out(const Layout& layout, Git& git, Store& store,
                     CommandRunner& runner, const Context& context);

// Returns a command that copies from the checkout, and keeps links, modes and
// times.
Command copy(std::string purpose, const Words& arguments, Context context);

// The same, of the folder `from` to `to`; it may fail.
Command copy_folder(const std::filesystem::path& from,
                    const std::filesystem::path& to, const Context& context);

// Copies the environment in use into the stage, where its type wants that, as
// npm does to spare a download. A copy that fails is no failure: nothing of it
// stays.
void begin_with_copy(const Component& component, Store& store,
                     CommandRunner& runner, const Context& context, Log& log);

// Likewise with an empty environment that was made from `inputs`: copying a
// venv takes a tenth of the time that python3 needs to make one. Returns false
// when there is none, or the copy fails.
bool begin_with_empty(const Component& component, const Inputs& inputs,
                      Store& store, CommandRunner& runner,
                      const Context& context, Log& log);

// Returns what an empty environment is made from: the runtime alone, of
// `inputs` and as `context` finds it.
Inputs inputs_of_empty(const Component& component, Inputs inputs,
                       const Context& context);

// Copies the environment in use into the stage, and what its install made
// beside it. Returns false when that fails: nothing of it stays then.
bool copy_environment(const Component& component, Store& store,
                      CommandRunner& runner, const Context& context, Log& log);

// Returns the mounts that show the outputs of `environment` at their places in
// the stage, read-only. A link is copied instead.
std::vector<Mount> show_outputs(const Component& component,
                                const std::filesystem::path& environment,
                                const std::set<std::string>& tracked,
                                Store& store, CommandRunner& runner,
                                const Context& context);

// Returns the mount that shows `environment`, that of the component in use or a
// kept one, at its place in the stage, where no command can write to it. Throws
// Error when it is a link.
Mount show_read_only(const Component& component,
                     const std::filesystem::path& environment, Store& store);

}  // namespace deployment
