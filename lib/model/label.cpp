#include "lib/model/label.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/base/ini.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

constexpr std::string_view of = " of ";
constexpr std::string_view served_prefix = "served ";
constexpr std::string_view trial_line = "on trial";
constexpr std::string_view folder_prefix = "folder ";
constexpr std::string_view output_prefix = "output ";
constexpr std::string_view without_prefix = "without ";
constexpr std::string_view built_prefix = "built ";

void add_output(Outputs& outputs, std::string_view text, bool by_command) {
  const std::string_view identity = text.substr(0, text.find(' '));
  if (identity.size() < text.size()) {
    outputs[ini_unescaped(text.substr(identity.size() + 1))] = {
        .identity = std::string(identity), .by_command = by_command};
  }
}

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
  for (const auto& [path, output] : label.outputs) {
    text += fmt::format("{}{} {}\n",
                        output.by_command ? built_prefix : output_prefix,
                        output.identity, ini_escaped(path));
  }
  for (const std::string& path : label.without) {
    text += fmt::format("{}{}\n", without_prefix, ini_escaped(path));
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
    } else if (line.starts_with(output_prefix)) {
      add_output(label.outputs, line.substr(output_prefix.size()), false);
    } else if (line.starts_with(built_prefix)) {
      add_output(label.outputs, line.substr(built_prefix.size()), true);
    } else if (line.starts_with(without_prefix)) {
      label.without.insert(ini_unescaped(line.substr(without_prefix.size())));
    } else if (line == trial_line) {
      label.on_trial = true;
    } else {
      add_line(label.inputs, line);
    }
  }
  return label;
}

bool is_of_build(std::string_view input) {
  return std::ranges::any_of(
      std::array<std::string_view, 2>{commands_input, folder_input},
      [&](std::string_view name) {
        return input.starts_with(name) &&
               (input.size() == name.size() ||
                input.substr(name.size()).starts_with(of));
      });
}

Inputs of_component(const std::string& component, Inputs inputs) {
  for (const char* input : {commands_input, folder_input}) {
    if (auto node = inputs.extract(input)) {
      node.key() = fmt::format("{}{}{}", input, of, component);
      inputs.insert(std::move(node));
    }
  }
  return inputs;
}

Inputs without_builds(Inputs inputs) {
  std::erase_if(inputs,
                [](const auto& entry) { return is_of_build(entry.first); });
  return inputs;
}

void keep_comparable(Inputs& before, Inputs& after) {
  for (Inputs* inputs : {&before, &after}) {
    if (const auto node = inputs->find(node_input); node != inputs->end()) {
      // Earlier versions wrote "18, ABI 108".
      node->second.resize(
          std::min(node->second.find(','), node->second.size()));
    }
  }
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
