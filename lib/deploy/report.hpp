// Writes the log lines of a run, and asks the host for what they tell.
#pragma once

#include "lib/deploy/host.hpp"

namespace deployment {

// The original script's words, on standard output as there.
constexpr const char* no_changes = "No changes detected in the repository.\n";

// Shortens an error to one line: the first line, which says what failed, and
// the one that says why: the first that calls itself an error, or the last.
std::string one_line(std::string_view text);

// The same for an error: of one that is not a command's each line counts, as
// each file that is in the way.
std::string one_line(const Error& error);

// "the deployment of … is pending: …", or "… is quarantined, …". The record has
// one of the two. Somebody may have `checked_out` another one than is deployed.
std::string describe_stuck(const Record& record,
                           const std::optional<CommitId>& checked_out = {});

// Returns the person who asked for the rollback that is under way, or that the
// quarantine is left of; empty: nobody did.
std::string asked_by(const Record& record);

// Returns the exit code of a run that does not deploy the remote's tip: that is
// no failure when the gate says not now, or when a person asked for it and
// nobody moved the checkout.
int exit_code_of_stuck(const Record& record,
                       const std::optional<CommitId>& checked_out = {});

// Returns the commit that the checkout is at.
std::optional<CommitId> checked_out(const Host& host, const Heads& heads);

// Says why the remote's tip is not deployed, and returns that exit code.
int report_stuck(const Record& record, Log& log,
                 const std::optional<CommitId>& checked_out = {});

// Returns the heads as this host last knew them, with a commit that it has as
// the remote's. `deployed` stands for what nothing is known of.
Heads heads_without_remote(const Host& host, const Record& record,
                           const CommitId& deployed);

// Asks the remote. Returns nullopt when it is away, which is logged, as is its
// return. Changes nothing. Throws Error for everything else that git says.
std::optional<Heads> ask_remote(const Host& host, const Record& record);

// Returns the heads to go on with while the remote is away, which is logged:
// those of a deployment or rollback that is under way, or the last known ones
// when what is deployed does not stand. nullopt: there is nothing to do, or the
// commit's objects are not here.
std::optional<Heads> heads_under_way(const Host& host, const Record& record,
                                     const Standing& standing);

// Says which commit is deployed, how, and which files of .git will stop git
// sooner or later, because an earlier run as root left them.
void say_what_begins(const Host& host, const Record& record, const Plan& plan);

// Says the error in full, and what to do about it.
void say_failure(const Host& host, const Error& error);

// Says where everything is after a rollback that failed at `step`: it leaves a
// mixture of two commits, which a person has to mend.
void say_mixture(const Host& host, const Record& record,
                 const std::string& step);

}  // namespace deployment
