// The version of the program.
#pragma once

namespace deployment {

// "1.0.0 (1234567890ab)", with the commit that it was built from; "1.0.0" when
// it was built from sources without a repository. version.cmake writes it.
extern const char* const version;

}  // namespace deployment
