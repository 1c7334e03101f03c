// The lines that a run says. All of them are made from values.
#pragma once

#include "lib/base/error.hpp"
#include "lib/plan/plan.hpp"

namespace deployment {

// The original script's words, on standard output as there.
constexpr const char* no_changes = "No changes detected in the repository.\n";

// Shortens an error to one line: the first line, which says what failed, and
// the one that says why: the first that calls itself an error, or the last.
std::string one_line(std::string_view text);

// "the deployment of … is pending: …", or "… is quarantined, …"
std::string describe_stuck(const Record& record);

// "deployed … in 3.2 s, after it had failed once"
std::string describe_deployed(const Change& change,
                              std::chrono::milliseconds duration, int failures);

// "rolled back to … in 3.2 s"
std::string describe_rolled_back(const Change& change,
                                 std::chrono::milliseconds duration);

// The state of one component, for a person who has to mend it. Each is the
// answer of the host, or why it could not be asked.
struct ComponentState {
  std::string name;
  std::string service;
  std::string service_state;
  std::string environment;  // "venv"
  std::string made_from;
};

// The lines about a rollback that failed at `step`: it leaves a mixture of two
// commits, and a person has to know where everything is.
std::vector<std::string> describe_mixture(
    const CommitId& roll_back_to, const std::string& step,
    const std::string& checkout_commit,
    const std::vector<ComponentState>& components);

// Returns the advice of an error, or the general one.
std::string advice_for(const Error& error);

// True when an error says that some file may not be read or written.
bool speaks_of_permission(std::string_view text);

// Appended to an advice when files of the checkout belong to somebody else.
std::string describe_foreign_files(
    const std::filesystem::path& checkout, const std::string& owner,
    const std::vector<std::filesystem::path>& files, const std::string& repair);

}  // namespace deployment
