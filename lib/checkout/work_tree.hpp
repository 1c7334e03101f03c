// Compares files of the work tree with commits, before and after it is moved.
#pragma once

#include "lib/checkout/git_reader.hpp"

namespace deployment {

// Returns the local changes that moving the work tree from one commit to
// another would overwrite, and the files that git does not track, ignored ones
// too.
Paths changes_in_the_way(const GitReader& git, const CommitId& from,
                         const CommitId& to);

// Returns the local changes that a move which stopped between the commits may
// have left: the same, and the files that are missing, which a move to a third
// commit may not write again.
Paths changes_of_stopped_move(const GitReader& git, const CommitId& from,
                              const CommitId& to);

// Returns those of `paths` that a killed move to `commit` may have left: files
// that are gone from the work tree, or that hold what `commit` has or only the
// beginning of it. git leaves such files when it is killed or the disk is full.
Paths half_written_files(const GitReader& git, const CommitId& commit,
                         const Paths& paths);

}  // namespace deployment
