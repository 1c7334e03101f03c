#include "lib/deploy/gate.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "lib/base/text.hpp"
#include "lib/deploy/housekeeping.hpp"
#include "lib/deploy/programs.hpp"
#include "lib/deploy/report.hpp"
#include "lib/model/transitions.hpp"

namespace deployment {
namespace {

constexpr int not_now = 75;  // EX_TEMPFAIL
constexpr std::size_t longest_words = 300;

// Returns the last line that the program printed.
std::string words_of(const CommandResult& result) {
  const std::string line =
      escaped(trimmed(tail(trimmed(result.out), 1)).substr(0, longest_words));
  return line.empty() ? "it gives no reason" : line;
}

}  // namespace

void ask_gate(const Host& host, const Record& record,
              const std::optional<CommitId>& from, const CommitId& to) {
  Json facts = facts_of(host, from, to);
  const Pending pending = record.pending.value_or(Pending{.tip = to});
  facts["event"] = "gate";
  facts["attempts"] = pending.attempts;
  facts["deferred_since"] =
      pending.deferred_since ? to_string(*pending.deferred_since) : "";
  const Command command =
      program_of(host.config, host.config.gate, "asking the gate", facts);
  const CommandResult result = host.runner.run(command);
  if (result.status == ExitStatus{.code = not_now}) {
    throw NotNow(words_of(result));
  }
  if (!result.status.success()) {
    throw CommandError(
        command, result,
        "the gate is a program of this host, which the configuration names; "
        "nothing was moved, and it is asked again by the next scheduled run");
  }
}

int put_off(const NotNow& answer, bool by_hand, Host& host, Journal& journal) {
  const Record before = journal.record();
  journal.write(
      transition::deferred,
      Failure{.step = std::string(Gate::name), .error = answer.what()}, now());
  const bool is_news = journal.record() != before;
  if (is_news || by_hand) {
    host.log.info(describe_stuck(journal.record()));
  }
  if (is_news) {  // else nothing was built
    prune(host, journal.record());
  }
  return exit_code_of_stuck(journal.record());
}

}  // namespace deployment
