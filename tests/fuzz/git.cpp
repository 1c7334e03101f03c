// Parses answers of git, each reader by the first byte of the input.
#include "lib/checkout/git_output.hpp"

#include "lib/base/text.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace deployment;

namespace {

void read_refs(std::string_view text) {
  const auto tip = parse_ls_remote(text, "refs/heads/prod");
  REQUIRE(!tip || is_object_id(tip->str()));
}

void read_heads(std::string_view text) {
  const CommitId tip = *CommitId::parse(std::string(40, 'a'));
  const Heads heads = parse_for_each_ref(text, "refs/heads/prod", tip);
  REQUIRE(!heads.local || is_object_id(heads.local->str()));
  REQUIRE(!heads.tracking || is_object_id(heads.tracking->str()));
  REQUIRE(!heads.on_branch || heads.local);
}

void read_divergence(std::string_view text) {
  const Divergence divergence = parse_divergence(text);
  REQUIRE(divergence.ours >= 0 && divergence.theirs >= 0);
}

void read_status(std::string_view text) {
  for (const LocalChange& change : parse_status(text)) {
    const std::string& path = change.path;
    REQUIRE(!path.empty());
    REQUIRE(path.find('\0') == std::string::npos);
    REQUIRE(text.find(path) != std::string_view::npos);
  }
}

void read_tree(std::string_view text) {
  for (const auto& [path, entry] : parse_ls_tree(text)) {
    REQUIRE(is_object_id(entry.id));
    REQUIRE(path.find('\0') == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  constexpr void (*readers[])(std::string_view) = {
      read_refs, read_heads, read_divergence, read_status, read_tree};
  if (size > 0) {
    const std::string_view text = text_of(data, size);
    const std::size_t chosen = data[0] % std::size(readers);
    accepts<Error>([&] { readers[chosen](text.substr(1)); });
  }
  return 0;
}
