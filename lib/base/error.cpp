#include "lib/base/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace deployment {

Interrupted::Interrupted(int signal)
    : Error(fmt::format("interrupted by SIG{}", sigabbrev_np(signal)), {},
            128 + signal) {}

std::string errno_text(int error_number) {
  return std::generic_category().message(error_number);
}

void throw_errno(const std::string& action) {
  throw Error(fmt::format("cannot {}: {}", action, errno_text(errno)));
}

}  // namespace deployment
