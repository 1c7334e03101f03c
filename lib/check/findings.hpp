// Collects what a check finds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/base/error.hpp"

namespace deployment {

// One thing that is in the way of deployments, or that a person should know.
struct Finding {
  std::string about = {};   // "units", "remote", …
  std::string what = {};    // one line
  std::string remedy = {};  // one line; a command stands at its end

  bool operator==(const Finding&) const = default;
};

class Findings {
 public:
  // Something that is in the way. What is known already is not told again.
  void add(Finding obstacle);

  // The same for an error that a run would end with. `remedy` is for one that
  // has no advice of its own.
  void add(const std::string& about, const Error& error,
           const std::string& remedy);

  // The same with a better remedy than the error's own advice.
  void add_with_remedy(const std::string& about, const Error& error,
                       const std::string& remedy);

  // Something that stops nothing.
  void note(Finding note);

  // Names what this user cannot look at.
  void skip(const std::string& what);

  // Names what was looked at, in order.
  void saw(const std::string& about, const std::string& what);

  // Calls `look` and adds the error that it throws. Wrong settings are passed
  // on.
  template <typename Look>
  void look_at(const std::string& about, const std::string& remedy,
               const Look& look) {
    try {
      look();
    } catch (const UsageError&) {
      throw;
    } catch (const Error& error) {
      add(about, error, remedy);
    }
  }

  const std::vector<Finding>& obstacles() const { return obstacles_; }
  const std::vector<Finding>& notes() const { return notes_; }

  std::string as_text() const;
  std::string as_json() const;

 private:
  using Seen = std::pair<std::string, std::vector<std::string>>;

  std::vector<Seen> seen_;
  std::vector<Finding> obstacles_;
  std::vector<Finding> notes_;
  std::vector<std::string> skipped_;
};

}  // namespace deployment
