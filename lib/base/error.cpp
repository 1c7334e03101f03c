#include "lib/base/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace deployment {

std::string errno_text(int error_number) {
  return std::generic_category().message(error_number);
}

void throw_errno(const std::string& action) {
  throw Error(fmt::format("cannot {}: {}", action, errno_text(errno)));
}

}  // namespace deployment
