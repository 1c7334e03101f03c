#include "lib/checkout/git_output.hpp"

#include <algorithm>
#include <array>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

[[noreturn]] void refuse(const char* command, std::string_view text) {
  throw Error(fmt::format("unexpected output from git {}: '{}'", command,
                          std::string(text.substr(0, 200))));
}

// Calls `take` with each of the entries that git ends with a NUL (-z).
template <typename Take>
void for_each_entry(std::string_view text, const char* command,
                    const Take& take) {
  for (int count = 0; !text.empty(); ++count) {
    if (count == most_entries) {
      throw Error(fmt::format("git {} printed more than {} entries", command,
                              most_entries));
    }
    take(take_part(text, '\0'));
  }
}

// Sets `words` to those of `text` between blanks; false: not so many.
template <std::size_t number>
bool take_words(std::string_view text,
                std::array<std::string_view, number>& words) {
  for (std::string_view& word : words) {
    if (text.empty()) {
      return false;
    }
    word = take_part(text, ' ');
  }
  return text.empty();
}

}  // namespace

std::optional<CommitId> parse_ls_remote(std::string_view text,
                                        const std::string& ref) {
  while (!text.empty()) {
    const std::string_view line = take_part(text, '\n');
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

std::optional<CommitId> parse_packed_refs(std::string_view text,
                                          const std::string& ref) {
  while (!text.empty()) {
    const std::string_view line = take_part(text, '\n');
    const std::size_t blank = line.find(' ');
    if (blank != std::string_view::npos && line.substr(blank + 1) == ref) {
      return CommitId::parse(line.substr(0, blank));
    }
  }
  return std::nullopt;
}

Heads parse_for_each_ref(std::string_view text, const std::string& local_ref,
                         const CommitId& tip) {
  Heads heads{.tip = tip};
  while (!text.empty()) {
    const std::string_view line = take_part(text, '\n');
    std::array<std::string_view, 2> words;
    const bool has_both =
        take_words(line.substr(std::min<std::size_t>(2, line.size())), words);
    const auto id = CommitId::parse(words[0]);
    if (!has_both || !id || line[1] != ' ') {
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

int parse_count(std::string_view text) {
  const std::string_view line = trimmed(text);
  const auto count = parse_number(line);
  if (!count) {
    refuse("rev-list", line);
  }
  return *count;
}

std::vector<LocalChange> parse_status(std::string_view text) {
  std::vector<LocalChange> changes;
  for_each_entry(text, "status", [&](std::string_view entry) {
    if (entry.size() < 4 || entry[2] != ' ') {
      refuse("status", entry);
    }
    changes.push_back({.path = std::string(entry.substr(3)),
                       .missing = entry.starts_with(" D")});
  });
  return changes;
}

bool speaks_of_damage(std::string_view text) {
  return contains_any(text, {" is corrupt", " is empty", "bad object ",
                             "unable to read ", "unable to unpack", "inflate: ",
                             "missing ", "did not send all necessary objects"});
}

Paths parse_paths(std::string_view text, const char* command) {
  Paths paths;
  for_each_entry(text, command,
                 [&](std::string_view path) { paths.emplace_back(path); });
  return paths;
}

std::map<std::string, TreeEntry> parse_ls_tree(std::string_view text) {
  std::map<std::string, TreeEntry> entries;
  for_each_entry(text, "ls-tree", [&](std::string_view entry) {
    const std::size_t tab = entry.find('\t');
    std::array<std::string_view, 3> words;
    if (tab == std::string_view::npos ||
        !take_words(entry.substr(0, tab), words) || !is_object_id(words[2])) {
      refuse("ls-tree", entry);
    }
    entries[std::string(entry.substr(tab + 1))] = {
        .mode = std::string(words[0]), .id = std::string(words[2])};
  });
  return entries;
}

}  // namespace deployment
