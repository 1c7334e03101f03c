#include "lib/checkout/git_output.hpp"

#include <algorithm>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

[[noreturn]] void refuse(const char* command, std::string_view text) {
  throw Error(fmt::format("unexpected output from git {}: '{}'", command,
                          std::string(text.substr(0, 200))));
}

}  // namespace

std::optional<CommitId> parse_ls_remote(std::string_view text,
                                        const std::string& ref) {
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t tab = line.find('\t');
    auto id = CommitId::parse(line.substr(0, tab));
    if (tab == std::string_view::npos || !id) {
      refuse("ls-remote", line);
    }
    // The pattern matches the end of a name too: a/refs/heads/prod.
    if (line.substr(tab + 1) == ref) {
      return id;
    }
  }
  return std::nullopt;
}

Heads parse_for_each_ref(std::string_view text, const std::string& local_ref,
                         const CommitId& tip) {
  Heads heads{.tip = tip};
  for (const std::string_view line : split(text, '\n')) {
    const auto words =
        split(line.substr(std::min<std::size_t>(2, line.size())), ' ');
    const auto id = CommitId::parse(words.empty() ? "" : words[0]);
    if (words.size() != 2 || !id || line[1] != ' ') {
      refuse("for-each-ref", line);
    }
    const std::string_view name = words[1];
    if (name == local_ref) {
      heads.local = id;
      heads.on_branch = line.front() == '*';
    } else if (name.starts_with("refs/remotes/")) {
      heads.tracking = id;
    }
  }
  return heads;
}

Divergence parse_divergence(std::string_view text) {
  const std::string_view line = trimmed(text);
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) {
    refuse("rev-list", line);
  }
  const auto ours = parse_number(line.substr(0, tab));
  const auto theirs = parse_number(line.substr(tab + 1));
  if (!ours || !theirs) {
    refuse("rev-list", line);
  }
  return {.ours = *ours, .theirs = *theirs};
}

std::vector<LocalChange> parse_status(std::string_view text) {
  std::vector<LocalChange> changes;
  for (const std::string_view entry : split(text, '\0')) {
    if (entry.size() < 4 || entry[2] != ' ') {
      refuse("status", entry);
    }
    changes.push_back({.path = std::string(entry.substr(3)),
                       .missing = entry.starts_with(" D")});
  }
  return changes;
}

std::map<std::string, TreeEntry> parse_ls_tree(std::string_view text) {
  std::map<std::string, TreeEntry> entries;
  for (const std::string_view entry : split(text, '\0')) {
    const std::size_t tab = entry.find('\t');
    const auto words = split(entry.substr(0, tab), ' ');
    if (tab == std::string_view::npos || words.size() != 3 ||
        !is_object_id(words[2])) {
      refuse("ls-tree", entry);
    }
    entries[std::string(entry.substr(tab + 1))] = {
        .mode = std::string(words[0]), .id = std::string(words[2])};
  }
  return entries;
}

}  // namespace deployment
