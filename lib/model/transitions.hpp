// Every change of the record, by name. Each is a function of values: it reads
// no clock and no file. docs/architecture.md draws the states and says which
// change is written before and after which step.
#pragma once

#include "lib/model/record.hpp"

namespace deployment::transition {

// The remote does not answer, since `now` if it did before; it answers again.
void remote_went_away(Record& record, Time now);
void remote_came_back(Record& record);

// The record speaks of this checkout from here on.
void checkout_named(Record& record, const std::filesystem::path& checkout,
                    const std::string& id);

// Nothing is on record as deployed, and `commit` stood complete when the first
// run began to change something: that is what a rollback goes back to.
void adopted(Record& record, const CommitId& commit);

// Another clone stands at the checkout's path: nothing is known of its
// environments and of what services run, nor was a deployment begun in it.
void cloned_anew(Record& record);

// `configured` has configured_as() by component. When it begins to be used,
// nothing is known of the service of a component that was deployed as another
// one; at the end of a deployment all were deployed as it says.
void configuration_changed(
    Record& record, const std::map<std::string, std::string>& configured);
void configuration_deployed(
    Record& record, const std::map<std::string, std::string>& configured);

// A run begins to work on the deployment of `tip`: from here on the record says
// that there is something to do, whatever becomes of the process. A run that
// goes on after a killed one changes nothing.
void begin(Record& record, const CommitId& tip, Time now, bool force);

// `by` asked to go to `to`, away from `tip`, at which the remote is: that is
// quarantined, unless it is as a bad one. The run begins with it. A repair that
// is under way goes on.
void roll_back_requested(Record& record, const CommitId& to,
                         const CommitId& tip, const std::string& by, Time now);

// The tip is quarantined, or failed before it changed anything, and the
// deployed commit does not stand any more: the run deploys that again.
void repair_began(Record& record, const CommitId& tip, Time now);

// A run deploys `tip`. With `force`, or when the unfinished rollback belongs to
// another tip, the deployment overtakes the rollback.
void overtake_roll_back(Record& record, const CommitId& tip, bool force);

// The work tree: around each move, and when a failed one was taken back. When
// it comes from another commit, services that were restarted on `to` have had
// that one under them since.
void move_began(Record& record, const CommitId& to, bool from_another);
void move_ended(Record& record);
void move_taken_back(Record& record);

// An environment. While it is installed in place, nothing is known of it and of
// what its service runs; while it is exchanged, what its service runs on.
// `root` is the workspace root that has it, or will (in another one nothing is
// known of it yet); empty: none; nullopt: as before.
void submodules_began(Record& record);
void install_began(Record& record, const std::string& component,
                   const std::string& root);
void exchange_began(Record& record, const std::string& component,
                    const std::optional<std::string>& root);
void environment_ready(Record& record, const std::string& component,
                       const Inputs& inputs, const std::string& root,
                       bool has_outputs = false);
// The label of the one in use says what it was made from.
void environment_labelled(Record& record, const std::string& component,
                          const Inputs& inputs, const std::string& root,
                          bool has_outputs = false);
void environment_lost(Record& record, const std::string& component);

// All releases of a component have succeeded for `commit`: a retry does not
// repeat them.
void released(Record& record, const std::string& component,
              const CommitId& commit);

// A service.
void restart_began(Record& record, const std::string& component);
void restart_ended(Record& record, const std::string& component,
                   const CommitId& commit);
void skipped(Record& record, const std::string& component,
             const CommitId& commit);

// The watch over the restarted services ended. `stayed_up` has, by component,
// true for those that did and false for those in trouble, not those that were
// not watched to the end; `listens` says of those for which that can be told
// where they accept connections now.
void verify_ended(Record& record, const std::map<std::string, bool>& stayed_up,
                  const std::map<std::string, Endpoints>& listens,
                  const CommitId& commit);

// A service was looked at before its restart: it has to listen there again or,
// when somebody changed it and `may_move`, on any port.
void expected_to_listen(Record& record, const std::string& component,
                        const Endpoints& endpoints, bool may_move);

// An attempt to deploy `tip` failed. `ended` goes into the history, once for a
// commit however often it fails; nullopt when no commit was known yet.
void failed(Record& record, const CommitId& tip, const Failure& failure,
            Time now, const std::optional<Deployment>& ended);

// Something in the checkout stopped the deployment of `tip` before anything was
// tried: no attempt counts, and the next run looks again.
void obstructed(Record& record, const CommitId& tip, const Failure& obstacle,
                Time now);

// The gate said not now, in these words, about the pending commit: no attempt
// counts, and the next run asks again. As long as it says the same, nothing
// changes.
void deferred(Record& record, const Failure& words, Time now);

// It failed, and the run goes back to `to`. A commit that is to blame, since
// its services did not stay up, is quarantined; another one is tried again.
void roll_back_decided(Record& record, const CommitId& tip,
                       const Failure& failure, Time now,
                       const std::optional<Deployment>& ended,
                       const CommitId& to, bool is_to_blame);

// On the way back services do not run as they should either: the commit that is
// quarantined is not to blame.
void acquitted(Record& record);

// The run was asked to end. The next one continues at once.
void interrupted(Record& record, const Failure& failure, Time now);

// The remote is at `tip`, which is deployed already: it has left another one
// that is quarantined.
void quarantine_left(Record& record, const CommitId& tip);

// The ends of a deployment. `deployed` notes the remote's commit that it was
// begun for.
void nothing_to_deploy(Record& record);
void deployed(Record& record, const Deployment& ended);
void rolled_back(Record& record, const Deployment& ended);

// `notify` is called, by the next run again if this one is killed; it
// succeeded; or it failed, and is called again later.
void telling_began(Record& record, Time now);
void told(Record& record, const Told& told);
void telling_failed(Record& record, Time now);

// The wait after so many failed attempts: 1, 2, 4 … minutes, at most 60.
std::chrono::minutes back_off(int attempts);

}  // namespace deployment::transition
