#include "lib/deploy/status.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/base/text.hpp"
#include "lib/checkout/git.hpp"
#include "lib/checkout/ownership.hpp"
#include "lib/model/record.hpp"
#include "lib/process/variables.hpp"

namespace deployment {
namespace {

// The subjects of commits, as far as the repository knows them.
class Subjects {
 public:
  Subjects(const Config& config, CommandRunner& runner)
      : user_(checkout_user(config)),
        git_(runner,
             {.directory = config.repo_dir,
              .environment = child_environment(user_),
              .user = user_,
              .timeout = config.git_timeout},
             config.remote, config.branch) {}

  std::string of(const std::string& commit) const {
    try {
      return commit.empty() ? "" : git_.subject(commit);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {
      return {};
    }
  }

 private:
  std::optional<User> user_;
  GitReader git_;
};

std::string deployed_at(const Record& record) {
  for (auto it = record.history.rbegin(); it != record.history.rend(); ++it) {
    if (it->outcome == Deployment::Outcome::deployed &&
        it->to == record.deployed) {
      return to_string(it->ended);
    }
  }
  return {};
}

std::string or_dash(std::string_view text) {
  return std::string(text.empty() ? "-" : text);
}

std::string describe(const std::string& commit, const Subjects& subjects) {
  const std::string subject = subjects.of(commit);
  return subject.empty() ? std::string(abbreviated(commit))
                         : fmt::format("{} ({})", abbreviated(commit), subject);
}

std::string describe(const Pending& pending, const Subjects& subjects) {
  std::string text =
      fmt::format("pending    {}\n", describe(pending.tip, subjects));
  if (pending.running) {
    text += "           a run works on it now, or was killed at it\n";
  }
  if (pending.attempts > 0) {
    text += fmt::format(
        "           failed at '{}', {} since {}; next try at {}\n"
        "           {}\n",
        pending.step, times(pending.attempts), to_string(pending.since),
        to_string(pending.next_try), pending.error);
  }
  return text;
}

std::string as_text(const Config& config, const Record& record,
                    const Subjects& subjects) {
  std::string text = record.deployed.empty()
                         ? "deployed   nothing yet\n"
                         : fmt::format("deployed   {}, {}\n",
                                       describe(record.deployed, subjects),
                                       or_dash(deployed_at(record)));
  if (record.pending) {
    text += describe(*record.pending, subjects);
  }
  if (record.remote_away_since) {
    text += fmt::format("remote     away since {}\n",
                        to_string(*record.remote_away_since));
  }
  for (const auto& [name, component] : record.components) {
    text += fmt::format("{:<10} {}\n", name,
                        or_dash(abbreviated(component.commit)));
    for (const auto& [input, hash] : component.inputs) {
      text += fmt::format("           {}  {}\n", hash, input);
    }
  }
  for (const Deployment& past : record.history) {
    text += fmt::format("history    {}  {:<11} {} -> {}  {}\n",
                        to_string(past.ended), to_string(past.outcome),
                        or_dash(abbreviated(past.from)), abbreviated(past.to),
                        describe_duration(past.duration));
  }
  return text +
         fmt::format("record     {}\n", (config.state_dir / "record").string());
}

std::string json_of(const Pending& pending, const Subjects& subjects) {
  return fmt::format(
      R"({{"commit":{},"subject":{},"running":{},"failed_step":{},"error":{},)"
      R"("attempts":{},"since":{},"next_try":{}}})",
      json_string(pending.tip), json_string(subjects.of(pending.tip)),
      pending.running, json_string(pending.step), json_string(pending.error),
      pending.attempts, json_string(to_string(pending.since)),
      json_string(to_string(pending.next_try)));
}

std::string json_of(const std::string& name, const ComponentRecord& component) {
  std::vector<std::string> inputs;
  for (const auto& [input, hash] : component.inputs) {
    inputs.push_back(
        fmt::format("{}:{}", json_string(input), json_string(hash)));
  }
  return fmt::format(R"({}:{{"commit":{},"inputs":{{{}}}}})", json_string(name),
                     json_string(component.commit), fmt::join(inputs, ","));
}

std::string json_of(const Deployment& past) {
  return fmt::format(
      R"({{"ended":{},"outcome":{},"seconds":{},"from":{},"to":{}}})",
      json_string(to_string(past.ended)), json_string(to_string(past.outcome)),
      past.duration.count(), json_string(past.from), json_string(past.to));
}

std::string as_json(const Config& config, const Record& record,
                    const Subjects& subjects) {
  std::vector<std::string> components;
  for (const auto& [name, component] : record.components) {
    components.push_back(json_of(name, component));
  }
  std::vector<std::string> history;
  for (const Deployment& past : record.history) {
    history.push_back(json_of(past));
  }
  return fmt::format(
      R"({{"deployed":{{"commit":{},"subject":{},"time":{}}},"pending":{},)"
      R"("remote_away_since":{},"components":{{{}}},"history":[{}],)"
      R"("record":{}}})"
      "\n",
      json_string(record.deployed), json_string(subjects.of(record.deployed)),
      json_string(deployed_at(record)),
      record.pending ? json_of(*record.pending, subjects) : "null",
      record.remote_away_since
          ? json_string(to_string(*record.remote_away_since))
          : "null",
      fmt::join(components, ","), fmt::join(history, ","),
      json_string((config.state_dir / "record").string()));
}

}  // namespace

std::string describe_status(const Config& config, bool json,
                            CommandRunner& runner) {
  const Record record = RecordFile(config.state_dir).load().value_or(Record{});
  const Subjects subjects(config, runner);
  if (json) {
    return as_json(config, record, subjects);
  }
  const std::string plain = as_text(config, record, subjects);
  std::string text;
  for (const std::string_view line : split(plain, '\n')) {
    text += escaped(line) + '\n';
  }
  return text;
}

}  // namespace deployment
