// The label of an environment.
#pragma once

#include <set>

#include "lib/model/record.hpp"

namespace deployment {

// Something that a build made beside the environment: a file, a folder, a link.
struct Output {
  // Tells it from another thing at its path; see identity_at().
  std::string identity = {};
  bool by_command = false;  // of the component's build, and not by the install

  bool operator==(const Output&) const = default;
};

// By path in the checkout. No path is below another one.
using Outputs = std::map<std::string, Output>;

// An environment carries a label in a file of its own. The label moves with the
// folder, so that a crash between two moves confuses nobody.
struct Label {
  Inputs inputs = {};  // that it was made from; empty: not known
  // It was built to be used at this path, which the programs of a venv name;
  // empty: not known.
  std::string folder = {};
  // The commit that it served when another one took its place.
  std::optional<CommitId> served = {};
  // It was put into use by a deployment that is not verified yet: a rollback
  // puts back what it replaced, even when that was made from the same inputs.
  bool on_trial = false;
  // They are put into use, kept and taken back together with it.
  Outputs outputs = {};
  // Paths at which it was known that a build makes an output, and which are not
  // among them: git had something there. It serves only where that is so.
  std::set<std::string> without = {};

  bool operator==(const Label&) const = default;
};

// No label is longer: that is 1,000 files with paths of 190 characters.
constexpr std::size_t longest_label = 256 << 10;

std::string to_text(const Label& label);
Label parse_label(std::string_view text);

// The version of node among the inputs of what npm installs.
inline constexpr const char* node_input = "node";

// The inputs of a component with build commands: a hash of these, and the tree
// of its folder.
inline constexpr const char* commands_input = "build commands";
inline constexpr const char* folder_input = "files of the folder";

// Returns true for these two, with what of_component() adds.
bool is_of_build(std::string_view input);

// Returns the inputs with the name of `component` in these two, where several
// components have one environment.
Inputs of_component(const std::string& component, Inputs inputs);

// Returns the inputs without these: what the install depends on.
Inputs without_builds(Inputs inputs);

// Leaves of node's version what earlier versions of this program knew, too: its
// major one, and nothing where one of the two does not have it.
void keep_comparable(Inputs& before, Inputs& after);

// Returns true when an environment that was made from `before` serves `after`.
bool are_alike(Inputs before, Inputs after);

// Returns true when an environment with this label serves `inputs` at `commit`,
// which needs none when `inputs` is empty.
bool serves(const Label& label, const Inputs& inputs, const CommitId& commit);

}  // namespace deployment
