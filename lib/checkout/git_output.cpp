#include "lib/checkout/git_output.hpp"

#include <fmt/format.h>

#include <charconv>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

[[noreturn]] void refuse(const char* command, std::string_view text) {
  throw Error(fmt::format("git {} gave an answer that is none: '{}'", command,
                          std::string(text.substr(0, 200))));
}

}  // namespace

std::string parse_ls_remote(std::string_view text, const std::string& ref) {
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos || !is_object_id(line.substr(0, tab))) {
      refuse("ls-remote", line);
    }
    // The pattern matches the end of a name too: a/refs/heads/prod.
    if (line.substr(tab + 1) == ref) {
      return std::string(line.substr(0, tab));
    }
  }
  return {};
}

Heads parse_for_each_ref(std::string_view text, const std::string& local_ref) {
  Heads heads;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t gap = line.find(' ', 2);
    if (gap == std::string_view::npos || line[1] != ' ' ||
        !is_object_id(line.substr(2, gap - 2))) {
      refuse("for-each-ref", line);
    }
    const std::string_view name = line.substr(gap + 1);
    const std::string id(line.substr(2, gap - 2));
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
  const auto number = [&](std::string_view digits) {
    int value = 0;
    const char* const last = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), last, value);
    if (error != std::errc() || end != last || value < 0) {
      refuse("rev-list", line);
    }
    return value;
  };
  if (tab == std::string_view::npos) {
    refuse("rev-list", line);
  }
  return {.ours = number(line.substr(0, tab)),
          .theirs = number(line.substr(tab + 1))};
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
