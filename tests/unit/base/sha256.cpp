#include "lib/base/sha256.hpp"

#include <random>

#include "lib/base/log.hpp"
#include "lib/process/runner.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

TEST_CASE("NIST's examples have the hashes that NIST gives") {
  // https://csrc.nist.gov/projects/cryptographic-standards-and-guidelines/
  // example-values
  struct Case {
    std::string text;
    const char* hash;
  };
  const Case cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc",
       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
       "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const Case& c : cases) {
    CHECK(sha256(c.text) == c.hash);
  }
}

TEST_CASE("random bytes have the hashes that sha256sum gives") {
  const Folder folder;
  std::vector<std::string> contents;
  std::vector<std::string> names;
  std::mt19937 random(20240229);
  for (const std::size_t size : {1U, 55U, 56U, 63U, 64U, 65U, 4096U, 100000U}) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    names.push_back(folder / std::to_string(size));
    write_file(names.back(), bytes);
    contents.push_back(bytes);
  }
  Log log(stderr, Log::Target::plain, false);
  const std::string said =
      ProcessRunner(log)
          .run_checked({.purpose = "hashing",
                        .program = "sha256sum",
                        .arguments = names,
                        .context = {.directory = "/",
                                    .variables = {{"PATH", "/usr/bin:/bin"}},
                                    .timeout = std::chrono::seconds(30)}})
          .out;
  std::string ours;
  for (std::size_t i = 0; i < names.size(); ++i) {
    ours += sha256(contents[i]) + "  " + names[i] + "\n";
  }
  CHECK(ours == said);
}

}  // namespace
}  // namespace deployment
