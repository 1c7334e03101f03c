#include "lib/base/sha256.hpp"

#include <dlfcn.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <openssl/sha.h>

#include <array>

#include "lib/base/error.hpp"

namespace deployment {
namespace {

void* require(void* found) {
  if (found == nullptr) {
    throw Error(fmt::format("cannot compute a SHA-256: {}", dlerror()),
                "install OpenSSL: apt-get install libssl3");
  }
  return found;
}

// Finds a function of libcrypto, which is loaded when the first hash is due. A
// run without a change has none, and loading the library would cost it more
// than all else that the program does itself (docs/performance.md).
void* find(const char* symbol) {
  // The library that belongs to the headers: libcrypto.so.3.
  static void* const library = require(
      dlopen(fmt::format("libcrypto.so.{}", OPENSSL_SHLIB_VERSION).c_str(),
             RTLD_NOW | RTLD_LOCAL));
  return require(dlsym(library, symbol));
}

}  // namespace

std::string sha256(std::string_view bytes) {
  static auto* const digest =
      reinterpret_cast<decltype(&EVP_Digest)>(find("EVP_Digest"));
  static auto* const algorithm =
      reinterpret_cast<decltype(&EVP_sha256)>(find("EVP_sha256"));

  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  if (digest(bytes.data(), bytes.size(), hash.data(), nullptr, algorithm(),
             nullptr) != 1) {
    throw Error("cannot compute a SHA-256: OpenSSL refused");
  }
  return fmt::format("{:02x}", fmt::join(hash, ""));
}

}  // namespace deployment
