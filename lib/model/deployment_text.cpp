#include "lib/model/deployment_text.hpp"

namespace deployment {
namespace {

constexpr std::string_view by_prefix = "by=";
constexpr std::string_view invocation_prefix = "invocation=";

// Reads a word after those that each deployment has.
void read_further(Deployment& deployment, std::string_view word) {
  if (word.starts_with(by_prefix)) {
    deployment.by = word.substr(by_prefix.size());
  } else if (word.starts_with(invocation_prefix)) {
    deployment.invocation_id = word.substr(invocation_prefix.size());
  } else {
    throw Malformed{fmt::format("unknown word '{}'", escaped(word))};
  }
}

std::string written_further(std::string_view prefix, const std::string& value) {
  return value.empty() ? "" : fmt::format(" {}{}", prefix, value);
}

}  // namespace

CommitId commit_of(std::string_view text) {
  return require(CommitId::parse(text), "malformed commit id '{}'", text);
}

int number_of(std::string_view text) {
  return require(parse_number(text), "malformed number '{}'", text);
}

Deployment::Outcome outcome_of(std::string_view text) {
  return require(
      one_of({Deployment::Outcome::deployed, Deployment::Outcome::failed,
              Deployment::Outcome::rolled_back},
             text),
      "unknown outcome '{}'", text);
}

std::string to_line(const Deployment& deployment) {
  return fmt::format(
      "{} {} {} {} {}{}{}", to_string(deployment.ended),
      to_string(deployment.outcome), deployment.duration.count(),
      deployment.from ? deployment.from->str() : "-", deployment.to,
      written_further(by_prefix, deployment.by),
      written_further(invocation_prefix, deployment.invocation_id));
}

Deployment parse_deployment(std::string_view line) {
  constexpr std::size_t least_words = 5;
  const auto words = split(line, ' ');
  if (words.size() < least_words) {
    throw Malformed{"a deployment of the history has less than five words"};
  }
  Deployment deployment{
      .ended = require(parse_time(words[0]), "malformed time '{}'", words[0]),
      .outcome = outcome_of(words[1]),
      .duration = std::chrono::seconds(number_of(words[2])),
      .to = commit_of(words[4])};
  if (words[3] != "-") {
    deployment.from = commit_of(words[3]);
  }
  for (std::size_t i = least_words; i < words.size(); ++i) {
    read_further(deployment, words[i]);
  }
  return deployment;
}

}  // namespace deployment
