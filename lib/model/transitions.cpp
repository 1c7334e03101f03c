#include "lib/model/transitions.hpp"

#include <algorithm>

namespace deployment::transition {
namespace {

// Parts of the commit before may still be in place: what they reached counts.
void renew_pending(Record& record, const CommitId& tip, Time now) {
  const bool moved = has_moved(record);
  record.pending = Pending{.tip = tip,
                           .reached = moved ? Reached::moved : Reached::nothing,
                           .since = now,
                           .next_try = now};
}

bool is_pending(const Record& record, const CommitId& tip) {
  return record.pending && record.pending->tip == tip;
}

void reach(Record& record, Reached reached) {
  if (record.pending) {
    record.pending->reached = std::max(record.pending->reached, reached);
  }
}

void quarantine(Record& record, const CommitId& commit, const std::string& by) {
  record.quarantined = commit;
  record.quarantined_by = by;
  record.quarantined_for.reset();
}

void end_quarantine(Record& record) {
  record.quarantined.reset();
  record.quarantined_by.clear();
  record.quarantined_for.reset();
}

void stop(Pending& pending, const Failure& failure) {
  pending.running = false;
  pending.failure = failure;
  pending.deferred_since.reset();
}

}  // namespace

void checkout_named(Record& record, const std::filesystem::path& checkout,
                    const std::string& id) {
  record.checkout = checkout;
  record.checkout_id = id;
}

void adopted(Record& record, const CommitId& commit) {
  record.deployed = commit;
}

void cloned_anew(Record& record) {
  record.checkout_id.clear();
  record.components.clear();
  record.moving_to.reset();
  record.pending.reset();
  record.roll_back_to.reset();
}

void configuration_changed(
    Record& record, const std::map<std::string, std::string>& configured) {
  for (const auto& [name, as] : configured) {
    const auto found = record.components.find(name);
    if (found != record.components.end() && !found->second.configured.empty() &&
        found->second.configured != as) {
      ComponentRecord& component = found->second;
      component = {.configured = component.configured,
                   .inputs = component.inputs,
                   .has_outputs = component.has_outputs,
                   .root = component.root};
    }
  }
}

void configuration_deployed(
    Record& record, const std::map<std::string, std::string>& configured) {
  for (const auto& [name, as] : configured) {
    const auto found = record.components.find(name);
    if (found != record.components.end()) {
      found->second.configured = as;
    }
  }
}

void begin(Record& record, const CommitId& tip, Time now, bool force) {
  if (!force && is_pending(record, tip) && record.pending->running) {
    return;
  }
  if (!is_pending(record, tip) || force) {
    renew_pending(record, tip, now);
  }
  record.pending->running = true;
  record.pending->repairs &= record.roll_back_to.has_value();
  if (force) {
    end_quarantine(record);
  }
}

void roll_back_requested(Record& record, const CommitId& to,
                         const CommitId& tip, const std::string& by, Time now) {
  if (is_pending(record, tip) && record.pending->repairs &&
      record.roll_back_to == to) {
    record.pending->running = true;
    record.pending->next_try = now;
    return;
  }
  const bool is_known_bad =
      record.quarantined == tip && record.quarantined_by.empty();
  renew_pending(record, tip, now);
  record.pending->running = true;
  record.roll_back_to = to;
  if (!is_known_bad) {
    quarantine(record, tip, by);
  }
}

void repair_began(Record& record, const CommitId& tip, Time now) {
  begin(record, tip, now, false);
  record.pending->repairs = true;
  record.roll_back_to = record.deployed;
}

void overtake_roll_back(Record& record, const CommitId& tip, bool force) {
  if (force || !is_pending(record, tip)) {
    record.roll_back_to.reset();
    if (record.pending) {
      record.pending->repairs = false;
    }
  }
}

void move_began(Record& record, const CommitId& to, bool from_another) {
  record.moving_to = to;
  if (!from_another) {
    return;
  }
  for (auto& [name, component] : record.components) {
    for (auto* commit : {&component.commit, &component.unverified_commit}) {
      if (*commit == to) {
        commit->reset();
      }
    }
  }
}

void move_ended(Record& record) {
  record.moving_to.reset();
  reach(record, Reached::moved);
}

void move_taken_back(Record& record) {
  record.moving_to.reset();
}

void submodules_began(Record& record) {
  reach(record, Reached::moved);
}

void install_began(Record& record, const std::string& component,
                   const std::string& root) {
  ComponentRecord& known = record.components[component];
  known.inputs.clear();
  known.root = root;
  known.commit.reset();
  known.unverified_commit.reset();
}

void exchange_began(Record& record, const std::string& component,
                    const std::optional<std::string>& root) {
  ComponentRecord& known = record.components[component];
  if (root && *root != known.root) {
    known.root = *root;
    environment_lost(record, component);
  }
  known.commit.reset();
  known.unverified_commit.reset();
  reach(record, Reached::moved);
}

void environment_ready(Record& record, const std::string& component,
                       const Inputs& inputs, const std::string& root,
                       bool has_outputs) {
  ComponentRecord& known = record.components[component];
  known.inputs = inputs;
  known.has_outputs = has_outputs;
  known.root = root;
}

void environment_labelled(Record& record, const std::string& component,
                          const Inputs& inputs, const std::string& root,
                          bool has_outputs) {
  if (record.components.contains(component) && !inputs.empty()) {
    environment_ready(record, component, inputs, root, has_outputs);
  }
}

void environment_lost(Record& record, const std::string& component) {
  ComponentRecord& known = record.components[component];
  known.inputs.clear();
  known.has_outputs = false;
}

void released(Record& record, const std::string& component,
              const CommitId& commit) {
  record.released.insert_or_assign(component, commit);
}

void restart_began(Record& record, const std::string& component) {
  record.components[component].commit.reset();
  record.components[component].unverified_commit.reset();
  reach(record, Reached::restarted);
}

void restart_ended(Record& record, const std::string& component,
                   const CommitId& commit) {
  record.components[component].unverified_commit = commit;
}

void skipped(Record& record, const std::string& component,
             const CommitId& commit) {
  record.components[component].commit = commit;
  record.components[component].unverified_commit.reset();
}

void verify_ended(Record& record, const std::map<std::string, bool>& stayed_up,
                  const std::map<std::string, Endpoints>& listens,
                  const CommitId& commit) {
  for (const auto& [name, endpoints] : listens) {
    record.components[name].listens = endpoints;
  }
  for (const auto& [name, is_up] : stayed_up) {
    ComponentRecord& component = record.components[name];
    component.unverified_commit.reset();
    if (is_up) {
      component.may_move = false;
      component.commit = commit;
    }
  }
}

void expected_to_listen(Record& record, const std::string& component,
                        const Endpoints& endpoints, bool may_move) {
  if (!endpoints.empty() || record.components.contains(component)) {
    record.components[component].listens = endpoints;
    record.components[component].may_move = may_move;
  }
}

void failed(Record& record, const CommitId& tip, const Failure& failure,
            Time now, const std::optional<Deployment>& ended) {
  if (!is_pending(record, tip)) {
    renew_pending(record, tip, now);
  }
  Pending& pending = *record.pending;
  stop(pending, failure);
  ++pending.attempts;
  pending.next_try = now + back_off(pending.attempts);
  if (ended && !returns(record)) {
    add_to_history(record.history, *ended);
  }
  if (pending.repairs && pending.reached == Reached::nothing &&
      record.quarantined != tip) {
    record.roll_back_to.reset();  // the next try is one of the tip
  }
}

void obstructed(Record& record, const CommitId& tip, const Failure& obstacle,
                Time now) {
  if (!is_pending(record, tip)) {
    renew_pending(record, tip, now);
  }
  Pending& pending = *record.pending;
  stop(pending, obstacle);
  pending.attempts = 0;
  pending.next_try = std::min(pending.next_try, now);
}

void roll_back_decided(Record& record, const CommitId& tip,
                       const Failure& failure, Time now,
                       const std::optional<Deployment>& ended,
                       const CommitId& to, bool is_to_blame) {
  failed(record, tip, failure, now, ended);
  record.roll_back_to = to;
  if (is_to_blame) {
    quarantine(record, tip, "");
    record.quarantined_for = failure;
  }
  record.pending->running = true;
}

void acquitted(Record& record) {
  end_quarantine(record);
}

void interrupted(Record& record, const Failure& failure, Time now) {
  if (record.pending) {
    stop(*record.pending, failure);
    record.pending->next_try = now;
  }
}

void quarantine_left(Record& record, const CommitId& tip) {
  if (record.quarantined != tip) {
    end_quarantine(record);
  }
}

void nothing_to_deploy(Record& record) {
  record.moving_to.reset();
  record.pending.reset();
}

void deployed(Record& record, const Deployment& ended) {
  if (record.pending) {
    record.remote_commit = record.pending->tip;
  }
  nothing_to_deploy(record);
  record.deployed = ended.to;
  end_quarantine(record);
  add_to_history(record.history, ended);
}

void rolled_back(Record& record, const Deployment& ended) {
  add_to_history(record.history, ended);
  record.deployed = ended.to;
  if (ended.to == record.pending->tip) {  // away from what was committed here
    record.remote_commit = ended.to;
  }
  record.roll_back_to.reset();
  record.moving_to.reset();
  record.pending->running = false;
  record.pending->repairs = false;
  record.pending->reached = Reached::nothing;
  if (record.quarantined == record.pending->tip) {
    record.pending.reset();
  }
  if (record.quarantined == ended.to) {  // a person could not leave it
    end_quarantine(record);
  }
}

}  // namespace deployment::transition
