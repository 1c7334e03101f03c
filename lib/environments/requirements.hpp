// Reads requirements files of pip.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace deployment {

// Returns the files that `text` names by -r, -c, --requirement and
// --constraint, as they are written there and in order; addresses (https://…)
// are left out. Comments and continued lines as in pip's requirements file
// format.
std::vector<std::string> included_files(std::string_view text);

}  // namespace deployment
