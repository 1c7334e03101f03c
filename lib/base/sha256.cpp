#include "lib/base/sha256.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>

#include <array>

#include "lib/base/error.hpp"

namespace deployment {
namespace {

// libcrypto is loaded when the first hash is due. A run without a change has
// none, and loading the library would cost it more than all else that the
// program does itself (docs/performance.md).
class LibCrypto {
 public:
  LibCrypto() : handle_(dlopen(name().c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) {
      throw Error(fmt::format("cannot compute a SHA-256: {}", dlerror()),
                  "install OpenSSL: apt-get install libssl3");
    }
  }

  template <typename Function>
  Function* find(const char* symbol) const {
    void* const found = dlsym(handle_, symbol);
    if (found == nullptr) {
      throw Error(fmt::format("cannot compute a SHA-256: {}", dlerror()));
    }
    return reinterpret_cast<Function*>(found);
  }

 private:
  // The library that belongs to the headers: libcrypto.so.3.
  static std::string name() {
    return fmt::format("libcrypto.so.{}", OPENSSL_SHLIB_VERSION);
  }

  void* handle_;
};

}  // namespace

std::string sha256(std::string_view bytes) {
  static const LibCrypto library;
  static auto* const digest = library.find<decltype(EVP_Digest)>("EVP_Digest");
  static auto* const algorithm =
      library.find<decltype(EVP_sha256)>("EVP_sha256");

  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int size = 0;
  if (digest(bytes.data(), bytes.size(), hash.data(), &size, algorithm(),
             nullptr) != 1) {
    throw Error("cannot compute a SHA-256: OpenSSL refused");
  }
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += fmt::format("{:02x}", hash[i]);
  }
  return hex;
}

}  // namespace deployment
