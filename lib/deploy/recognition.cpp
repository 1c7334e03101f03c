#include "lib/deploy/recognition.hpp"

#include <fmt/format.h>

#include "lib/base/text.hpp"
#include "lib/checkout/identifier.hpp"
#include "lib/deploy/other_records.hpp"
#include "lib/model/transitions.hpp"
#include "lib/process/orphan.hpp"

namespace deployment {

namespace {

// A run that is killed may leave git at work, which ends what it began: then
// services run another commit than the one that is checked out.
void recognize_move(const Host& host, Journal& journal) {
  const std::optional<CommitId> to = journal.record().moving_to;
  if (to && host.git.current_commit() == *to) {
    journal.write(transition::move_ended);
  }
}

}  // namespace

Standing recognize_checkout(Host& host, Journal& journal) {
  host.require_own(journal.record());
  Standing standing = host.standing(journal.record());
  if (journal.record().checkout.empty() || standing.is_another_clone) {
    refuse_other_record(host);
  }
  if (!standing.is_another_clone) {
    recognize_move(host, journal);
    return standing;
  }
  host.log.warning(
      fmt::format("{} is another clone than the one that was deployed to: its "
                  "environments are made and its services restarted again",
                  host.config.repo_dir.string()));
  journal.write(transition::cloned_anew);
  return host.standing(journal.record());
}

void end_orphans_of_a_killed_run(Host& host) {
  const ActingAs user(host.user);
  const int ended = end_orphans(host.config.repo_dir);
  if (ended > 0) {
    host.log.warning(fmt::format("ended {} that a killed run had left",
                                 counted(ended, "process")));
  }
}

void name_checkout(Host& host, Journal& journal) {
  const std::string& id = journal.record().checkout_id;
  const std::filesystem::path& record_folder = *host.config.state_dir;
  if (!id.empty()) {
    tell_record_folder(*host.checkout, host.user, id, record_folder);
  } else {
    journal.write(transition::checkout_named, host.config.repo_dir,
                  make_identifier(*host.checkout, host.user, record_folder));
  }
}

void adopt_what_stands(const Host& host, const Heads& heads, Journal& journal) {
  const Record& record = journal.record();
  const bool was_begun = has_moved(record) || record.moving_to ||
                         !record.components.empty() ||
                         (record.pending && record.pending->running);
  if (record.deployed || was_begun || !heads.tracking ||
      !host.standing(record).is_complete()) {
    return;
  }
  const CommitId here = host.git.current_commit();
  if (host.git.compare(here, *heads.tracking).ours == 0) {
    journal.write(transition::adopted, here);
  }
}

}  // namespace deployment
