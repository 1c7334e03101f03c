#include "lib/deploy/dry_run.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "lib/base/file.hpp"
#include "lib/base/json.hpp"
#include "lib/base/text.hpp"
#include "lib/deploy/hold.hpp"
#include "lib/deploy/other_records.hpp"
#include "lib/deploy/report.hpp"
#include "lib/deploy/services.hpp"
#include "lib/model/transitions.hpp"
#include "lib/plan/plan_text.hpp"

namespace deployment {
namespace {

Json to_json(const Step& step) {
  Json json = {{"step", name_of(step)}};
  if (const auto component = component_of(step)) {
    json["component"] = *component;
  }
  json["description"] = describe(step);
  return json;
}

Json to_json(Verdict verdict, const Record& record, const Plan& plan,
             const Config& config) {
  const bool deploys = plan.change.has_value();
  Json steps = Json::array();
  for (const Step& step : plan.steps) {
    steps.push_back(to_json(step));
  }
  Json pending;
  if (verdict == Verdict::waiting) {
    const Failure failure = record.pending->failure.value_or(Failure{});
    pending = {{"commit", record.pending->tip.str()},
               {"failed_step", failure.step},
               {"error", failure.error},
               {"attempts", record.pending->attempts},
               {"next_try", to_string(record.pending->next_try)}};
  }
  const bool is_quarantined =
      record.quarantined &&
      (verdict == Verdict::quarantined || verdict == Verdict::repair);
  const std::optional<Hold> hold = look_at_hold(config);
  return {{"held", hold ? to_json(*hold) : Json()},
          {"verdict", to_string(verdict)},
          {"from", deploys ? plan.change->from.str() : ""},
          {"from_subject", deploys ? plan.change->from_subject : ""},
          {"to", deploys ? plan.change->to.str() : ""},
          {"to_subject", deploys ? plan.change->to_subject : ""},
          {"steps", steps},
          {"pending", pending},
          {"quarantined",
           is_quarantined ? Json(record.quarantined->str()) : Json()},
          {"quarantined_by", is_quarantined ? record.quarantined_by : ""}};
}

void print_lines(const Plan& plan) {
  if (plan.change) {
    print(escaped("Plan: deploy " + describe(*plan.change)) + '\n');
  }
  if (plan.in_place_reason) {
    print(escaped("In place: " + *plan.in_place_reason) + '\n');
  }
  int number = 0;
  for (const Step& step : plan.steps) {
    print(fmt::format("  {}. {}\n", ++number, escaped(describe(step))));
  }
  if (!plan.change) {
    print(no_changes);
  }
}

}  // namespace

Observation observe_aside(const Host& host, const Record& record,
                          const Heads& heads, bool force) {
  GitReader objects = host.git;
  std::optional<TemporaryDirectory> folder;
  if (!host.git.has_commit(heads.tip)) {
    folder.emplace(host.user);
    objects = host.git.with_objects_aside(folder->path());
  }
  return host.observe(record, heads, objects, force);
}

Verdict foresee(const Host& host, Record& record, const Heads& heads,
                bool force) {
  if (host.standing(record).is_another_clone) {
    transition::cloned_anew(record);
  }
  transition::configuration_changed(record,
                                    configured_as(host.config.components));
  transition::overtake_roll_back(record, heads.tip, force);
  const Verdict verdict =
      decide(host.config, record, host.standing(record), heads, now(), force);
  if (verdict == Verdict::repair) {
    transition::repair_began(record, heads.tip, now());
  }
  return verdict;
}

int dry_run(Host& host, const Record& record, const Request& request) {
  host.require_own(record);
  if (geteuid() == 0) {  // anybody else only looks at what root deploys
    refuse_other_record(host);
  }
  std::optional<Heads> heads = ask_remote(host, record);
  const bool is_away = !heads;
  if (is_away && !request.force) {
    heads = heads_under_way(host, record, host.standing(record));
  }
  if (!heads) {
    return exit_failed;
  }
  Record seen = record;
  Verdict verdict = foresee(host, seen, *heads, request.force);
  Plan plan;
  if (verdict == Verdict::deploy || verdict == Verdict::repair) {
    plan = host.plan(seen, observe_aside(host, seen, *heads, request.force),
                     request.force);
  }
  require_services(plan, seen, host);
  if (verdict == Verdict::deploy && !plan.change) {
    verdict = Verdict::up_to_date;  // the branch here has all of the tip
  }
  const bool is_stuck =
      verdict == Verdict::waiting || verdict == Verdict::quarantined;
  int code = 0;
  if (is_stuck) {
    const auto here = checked_out(host, *heads);
    code = request.json ? exit_code_of_stuck(seen, here)
                        : report_stuck(seen, host.log, here);
  }
  if (request.json) {
    print(json_line(to_json(verdict, seen, plan, host.config)));
  } else if (!is_stuck) {
    print_lines(plan);
  }
  return is_away ? exit_failed : code;
}

}  // namespace deployment
