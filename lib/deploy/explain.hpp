// Says in the log what begins and what failed, with what the host tells about
// it.
#pragma once

#include "lib/deploy/host.hpp"
#include "lib/plan/plan.hpp"

namespace deployment {

// Says which commit is deployed, how, and which files of .git will stop git
// sooner or later, because an earlier run as root left them.
void say_what_begins(const Host& host, const Record& record, const Plan& plan);

// Says the error in full, and what to do about it.
void say_failure(const Host& host, const Error& error);

// Says where everything is after a rollback that failed at `step`.
void say_mixture(const Host& host, const CommitId& roll_back_to,
                 const std::string& step);

}  // namespace deployment
