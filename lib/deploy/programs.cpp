#include "lib/deploy/programs.hpp"

#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "lib/process/variables.hpp"

namespace deployment {
namespace {

constexpr std::chrono::seconds deadline(30);
constexpr std::size_t longest_words = 64 << 10;  // that a program may print

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// Returns what git says of a commit; empty when it cannot tell.
Headline told_by_git(const Host& host, const std::optional<CommitId>& commit) {
  try {
    return commit && host.git.has_commit(*commit) ? host.git.headline(*commit)
                                                  : Headline{};
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

Json facts_of(const Config& config) {
  return {{"host", host_name()},
          {"instance", config.instance.value_or("")},
          {"checkout", config.repo_dir.string()},
          {"remote", config.remote},
          {"branch", config.branch},
          {"commit", ""},
          {"subject", ""},
          {"author", ""},
          {"from", ""},
          {"from_subject", ""}};
}

Json facts_of(const Host& host, const std::optional<CommitId>& from,
              const std::optional<CommitId>& to) {
  Json facts = facts_of(host.config);
  const Headline of_to = told_by_git(host, to);
  facts["commit"] = to ? to->str() : "";
  facts["subject"] = of_to.subject;
  facts["author"] = of_to.author;
  facts["from"] = from ? from->str() : "";
  facts["from_subject"] = told_by_git(host, from).subject;
  return facts;
}

Command program_of(const Config& config, const CommandWords& words,
                   const std::string& purpose, const Json& facts) {
  return {
      .purpose = purpose,
      .program = words.front(),
      .arguments = {words.begin() + 1, words.end()},
      .context = {.directory = "/",
                  .variables = common_variables(),
                  .no_new_privileges = !config.new_privileges && geteuid() != 0,
                  .timeout = deadline,
                  .longest_answer = longest_words},
      .input = json_line(facts)};
}

}  // namespace deployment
