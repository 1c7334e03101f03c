#include "lib/model/label.hpp"

#include "lib/base/text.hpp"

namespace deployment {
namespace {

constexpr std::string_view served_prefix = "served ";
constexpr std::string_view trial_line = "on trial";
constexpr std::string_view folder_prefix = "folder ";

}  // namespace

std::string to_text(const Label& label) {
  std::string text;
  for (const auto& input : label.inputs) {
    text += to_line(input) + '\n';
  }
  if (label.served || label.inputs.empty()) {
    text += fmt::format("{}{}\n", served_prefix,
                        label.served ? label.served->str() : "");
  }
  if (!label.folder.empty()) {
    text += fmt::format("{}{}\n", folder_prefix, label.folder);
  }
  return label.on_trial ? fmt::format("{}{}\n", text, trial_line) : text;
}

Label parse_label(std::string_view text) {
  Label label;
  while (!text.empty()) {
    const std::string_view line = take_part(text, '\n');
    if (line.starts_with(served_prefix)) {
      label.served = CommitId::parse(line.substr(served_prefix.size()));
    } else if (line.starts_with(folder_prefix)) {
      label.folder = line.substr(folder_prefix.size());
    } else if (line == trial_line) {
      label.on_trial = true;
    } else {
      add_line(label.inputs, line);
    }
  }
  return label;
}

void keep_comparable(Inputs& before, Inputs& after) {
  if (!before.contains(node_input) || !after.contains(node_input)) {
    before.erase(node_input);
    after.erase(node_input);
  }
}

bool are_alike(Inputs before, Inputs after) {
  keep_comparable(before, after);
  return before == after;
}

bool serves(const Label& label, const Inputs& inputs, const CommitId& commit) {
  return inputs.empty() || label.inputs.empty()
             ? label.served == commit
             : are_alike(label.inputs, inputs);
}

}  // namespace deployment
