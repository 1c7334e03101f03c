// Reads requirements files of pip.
#pragma once

#include <functional>
#include <string_view>

namespace deployment {

// Bytes of one file: 1,000 packages with ten hashes each have less than 1 MiB.
constexpr std::size_t longest_requirements = 4 << 20;

// Files that the requirements of a component include, all together.
constexpr std::size_t most_included = 1000;

// Calls `take` with each file that `text` names by -r, -c, --requirement and
// --constraint, as it is written there and in order; addresses (https://…) are
// left out. Comments and continued lines as in pip's requirements file format.
void for_each_included(std::string_view text,
                       const std::function<void(std::string_view)>& take);

}  // namespace deployment
