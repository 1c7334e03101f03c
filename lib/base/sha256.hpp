// SHA-256 (FIPS 180-4), by OpenSSL's EVP.
#pragma once

#include <string>
#include <string_view>

namespace deployment {

// 64 lower-case hexadecimal digits, as sha256sum(1) prints them.
std::string sha256(std::string_view bytes);

}  // namespace deployment
