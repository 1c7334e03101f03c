#include "lib/model/label.hpp"

#include "lib/base/text.hpp"

namespace deployment {
namespace {

constexpr std::string_view served_prefix = "served ";

}  // namespace

std::string to_text(const Label& label) {
  if (label.inputs.empty()) {
    return fmt::format("{}{}\n", served_prefix,
                       label.served ? label.served->str() : "");
  }
  std::string text;
  for (const auto& input : label.inputs) {
    text += to_line(input) + '\n';
  }
  return text;
}

Label parse_label(std::string_view text) {
  Label label;
  while (!text.empty()) {
    const std::string_view line = take_part(text, '\n');
    if (line.starts_with(served_prefix)) {
      label.served = CommitId::parse(line.substr(served_prefix.size()));
    } else {
      add_line(label.inputs, line);
    }
  }
  return label;
}

bool serves(const Label& label, const Inputs& inputs, const CommitId& commit) {
  return label.inputs.empty() ? label.served == commit : label.inputs == inputs;
}

}  // namespace deployment
