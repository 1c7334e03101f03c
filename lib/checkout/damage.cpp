// Advice about objects that git cannot read.
#include <fmt/format.h>

#include "lib/base/text.hpp"
#include "lib/checkout/git_reader.hpp"

namespace deployment {
namespace {

// git's words for objects that are empty or cut short.
bool speaks_of_corruption(std::string_view text) {
  return contains_any(
      text, {" is corrupt", " is empty", "unable to unpack", "inflate: "});
}

// git's words for objects that are gone, which others may be that never were
// in the repository.
bool speaks_of_absence(std::string_view text) {
  return contains_any(text, {"bad object ", "unable to read ", "missing ",
                             "did not send all necessary objects"});
}

}  // namespace

std::optional<std::string> GitReader::advice_about(
    std::string_view error) const {
  if (!speaks_of_corruption(error) && !speaks_of_absence(error)) {
    return std::nullopt;
  }
  if (is_damaged(error)) {
    return how_to_fetch_anew();
  }
  return fmt::format(
      "git fsck finds no damage in the repository; an object that git did not "
      "find was removed from it, or never was in it; fetch all that the remote "
      "has: {}",
      advised(fmt::format("fetch --refetch {} {}", remote_, branch_)));
}

bool GitReader::is_damaged(std::string_view error) const {
  Words words = {"fsck", "--no-dangling", "--no-reflogs", "--no-progress"};
  if (!speaks_of_corruption(error)) {
    words.emplace_back("--connectivity-only");  // reads no content of files
  }
  const ExitStatus status =
      runner_->run(command("looking for damage", words)).status;
  return !status.success() && !status.timed_out;
}

// The former objects stay beside: commits may be in them that only they hold.
std::string GitReader::how_to_fetch_anew() const {
  const std::string objects = quoted(directory() / ".git" / "objects");
  return fmt::format(
      "the repository is damaged, as after a power loss; fetch its objects "
      "anew: {} && {} && {}",
      as_user(fmt::format("mv {0} {0}.damaged", objects)),
      as_user("mkdir " + objects),
      advised(fmt::format("fetch --refetch {} {}", remote_, branch_)));
}

}  // namespace deployment
