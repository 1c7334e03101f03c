// Describes inputs of an environment.
#pragma once

#include "lib/model/label.hpp"

namespace deployment {

// "node (18), package.json (0123456789ab)"
std::string list_inputs(const Inputs& inputs);

// Says why an environment made from `before` does not serve `after`.
std::string describe_inputs(Inputs before, Inputs after);

}  // namespace deployment
