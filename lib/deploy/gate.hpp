// Asks the program of the host that decides when a deployment may begin.
#pragma once

#include "lib/deploy/work.hpp"

namespace deployment {

// The gate says not now, in the words that are what().
class NotNow : public Error {
 public:
  explicit NotNow(const std::string& words) : Error(words) {}
};

// Asks whether the host may go from one commit to another. Throws NotNow when
// the program exits with 75 (EX_TEMPFAIL of sysexits(3)), and CommandError when
// it fails otherwise.
void ask_gate(const Host& host, const Record& record,
              const std::optional<CommitId>& from, const CommitId& to);

// Notes that the gate said not now, says it when it is news or a person asks,
// and returns the exit code.
int put_off(const NotNow& answer, bool by_hand, Host& host, Journal& journal);

}  // namespace deployment
