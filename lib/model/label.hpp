// The label that an environment carries.
#pragma once

#include <string>
#include <string_view>

#include "lib/model/record.hpp"

namespace deployment {

// What an environment carries in a file of its own, so that it says what it is
// wherever it is moved, and a crash between two moves confuses nobody.
struct Label {
  Inputs inputs = {};       // it was made from; empty: not known
  std::string served = {};  // then the commit that ran in it

  bool operator==(const Label&) const = default;
};

std::string to_text(const Label& label);
Label parse_label(std::string_view text);

// Whether an environment with this label serves `inputs` at `commit`.
bool serves(const Label& label, const Inputs& inputs,
            const std::string& commit);

}  // namespace deployment
