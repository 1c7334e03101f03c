// The label of an environment.
#pragma once

#include "lib/model/record.hpp"

namespace deployment {

// An environment carries a label in a file of its own. The label moves with the
// folder, so that a crash between two moves confuses nobody.
struct Label {
  Inputs inputs = {};  // that it was made from; empty: not known
  std::optional<CommitId> served = {};  // when the inputs are not known: the
                                        // commit that it served

  bool operator==(const Label&) const = default;
};

// No label is longer: that is 1,000 files with paths of 190 characters.
constexpr std::size_t longest_label = 256 << 10;

std::string to_text(const Label& label);
Label parse_label(std::string_view text);

// Returns true when an environment with this label serves `inputs` at `commit`.
bool serves(const Label& label, const Inputs& inputs, const CommitId& commit);

}  // namespace deployment
