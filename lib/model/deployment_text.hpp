// A deployment that ended as a line of text, in the record and in the history.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/text.hpp"
#include "lib/model/record.hpp"

namespace deployment {

// A line that cannot be part of such a file; the caller adds where and what to
// do.
struct Malformed {
  std::string why;
};

// Returns the value that `text` was parsed as; `why` names the text as {}.
template <typename Value>
Value require(const std::optional<Value>& value, const char* why,
              std::string_view text) {
  if (!value) {
    throw Malformed{fmt::format(fmt::runtime(why), escaped(text))};
  }
  return *value;
}

// Finds the one of `values` whose to_string() is `name`.
template <typename Value>
std::optional<Value> one_of(std::initializer_list<Value> values,
                            std::string_view name) {
  const auto* const found = std::ranges::find(
      values, name, [](Value value) { return to_string(value); });
  return found == values.end() ? std::nullopt : std::optional(*found);
}

// These read what is written alike; they throw Malformed.
CommitId commit_of(std::string_view text);
int number_of(std::string_view text);
Deployment::Outcome outcome_of(std::string_view text);

// "TIME OUTCOME SECONDS FROM TO [by=NAME] [invocation=ID]"; FROM is "-" for a
// first deployment. parse_deployment() throws Malformed.
std::string to_line(const Deployment& deployment);
Deployment parse_deployment(std::string_view line);

}  // namespace deployment
