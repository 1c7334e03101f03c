#include "lib/model/record.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <functional>

#include "lib/base/error.hpp"
#include "lib/base/ini.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

constexpr std::size_t kept_deployments = 10;

constexpr std::array outcomes = {
    std::pair(Deployment::Outcome::deployed, std::string_view("deployed")),
    std::pair(Deployment::Outcome::failed, std::string_view("failed")),
    std::pair(Deployment::Outcome::rolled_back,
              std::string_view("rolled-back"))};

// A line that is no part of a record; the caller adds where and what to do.
struct Malformed {
  std::string why;
};

std::string commit_of(std::string_view value) {
  if (!is_object_id(value)) {
    throw Malformed{"a commit id is not one"};
  }
  return std::string(value);
}

Time time_of(std::string_view value) {
  const std::optional<Time> time = parse_time(value);
  if (!time) {
    throw Malformed{"a time is not one"};
  }
  return *time;
}

int number_of(std::string_view value) {
  int number = 0;
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() ||
      number < 0) {
    throw Malformed{"a number is not one"};
  }
  return number;
}

// "TIME OUTCOME SECONDS FROM TO"; FROM is "-" for a first deployment.
Deployment deployment_of(std::string_view value) {
  const auto words = split(value, ' ');
  if (words.size() != 5) {
    throw Malformed{"a line of the history is not one"};
  }
  for (const auto& [outcome, name] : outcomes) {
    if (words[1] == name) {
      return {.ended = time_of(words[0]),
              .outcome = outcome,
              .duration = std::chrono::seconds(number_of(words[2])),
              .from = words[3] == "-" ? "" : commit_of(words[3]),
              .to = commit_of(words[4])};
    }
  }
  throw Malformed{"an outcome of the history is not one"};
}

// "HASH  NAME", as sha256sum(1) writes it.
void add_input(Inputs& inputs, std::string_view value) {
  const std::size_t gap = value.find("  ");
  if (gap == std::string_view::npos) {
    throw Malformed{"an input has no name"};
  }
  inputs[ini_unescaped(value.substr(gap + 2))] =
      ini_unescaped(value.substr(0, gap));
}

Reached reached_of(std::string_view value) {
  for (const Reached reached : {Reached::moved, Reached::restarted}) {
    if (value == to_string(reached)) {
      return reached;
    }
  }
  throw Malformed{"what was reached is neither moved nor restarted"};
}

Pending& pending_of(Record& record) {
  if (!record.pending) {
    record.pending.emplace();
  }
  return *record.pending;
}

void read_entry(Record& record, const IniEntry& entry) {
  using Reader = std::function<void(Record&, const std::string&)>;
  static const std::map<std::string, Reader> readers = {
      {"deployed",
       [](Record& r, const std::string& v) { r.deployed = commit_of(v); }},
      {"moving-to",
       [](Record& r, const std::string& v) { r.moving_to = commit_of(v); }},
      {"quarantined",
       [](Record& r, const std::string& v) { r.quarantined = commit_of(v); }},
      {"roll-back-to",
       [](Record& r, const std::string& v) { r.roll_back_to = commit_of(v); }},
      {"remote-away-since",
       [](Record& r, const std::string& v) {
         r.remote_away_since = time_of(v);
       }},
      {"deployment",
       [](Record& r, const std::string& v) {
         add_to_history(r, deployment_of(v));
       }},
      {"pending",
       [](Record& r, const std::string& v) {
         pending_of(r).tip = commit_of(v);
       }},
      {"reached",
       [](Record& r, const std::string& v) {
         pending_of(r).reached = reached_of(v);
       }},
      {"running",
       [](Record& r, const std::string& v) {
         pending_of(r).running = v == "yes";
       }},
      {"failed-step",
       [](Record& r, const std::string& v) {
         pending_of(r).step = ini_unescaped(v);
       }},
      {"error",
       [](Record& r, const std::string& v) {
         pending_of(r).error = ini_unescaped(v);
       }},
      {"attempts",
       [](Record& r, const std::string& v) {
         pending_of(r).attempts = number_of(v);
       }},
      {"since", [](Record& r,
                   const std::string& v) { pending_of(r).since = time_of(v); }},
      {"next-try",
       [](Record& r, const std::string& v) {
         pending_of(r).next_try = time_of(v);
       }},
  };
  const auto reader = readers.find(entry.key);
  if (reader == readers.end()) {
    throw Malformed{fmt::format("unknown key '{}'", escaped(entry.key))};
  }
  reader->second(record, entry.value);
}

void read_component_entry(ComponentRecord& component, const IniEntry& entry) {
  if (entry.key == "commit") {
    component.commit = commit_of(entry.value);
  } else if (entry.key == "restarted") {
    component.restarted = commit_of(entry.value);
  } else if (entry.key == "input") {
    add_input(component.inputs, entry.value);
  } else {
    throw Malformed{fmt::format("unknown key '{}'", escaped(entry.key))};
  }
}

std::string line(std::string_view key, std::string_view value) {
  return value.empty() ? std::string() : fmt::format("{} = {}\n", key, value);
}

std::string to_text(const Pending& pending) {
  return line("pending", pending.tip) +
         line("reached", to_string(pending.reached)) +
         line("running", pending.running ? "yes" : "") +
         line("failed-step", ini_escaped(pending.step)) +
         line("error", ini_escaped(pending.error)) +
         line("attempts", std::to_string(pending.attempts)) +
         line("since", to_string(pending.since)) +
         line("next-try", to_string(pending.next_try));
}

std::string to_text(const Deployment& deployment) {
  return fmt::format(
      "deployment = {} {} {} {} {}\n", to_string(deployment.ended),
      to_string(deployment.outcome), deployment.duration.count(),
      deployment.from.empty() ? "-" : deployment.from, deployment.to);
}

}  // namespace

std::string_view to_string(Reached reached) {
  switch (reached) {
    case Reached::nothing:
      break;
    case Reached::moved:
      return "moved";
    case Reached::restarted:
      return "restarted";
  }
  return {};
}

std::string_view to_string(Deployment::Outcome outcome) {
  for (const auto& [value, name] : outcomes) {
    if (value == outcome) {
      return name;
    }
  }
  return {};
}

void add_to_history(Record& record, const Deployment& deployment) {
  record.history.push_back(deployment);
  if (record.history.size() > kept_deployments) {
    record.history.erase(record.history.begin());
  }
}

std::string to_text(const Record& record) {
  std::string text = "# What deployment-update has done here.\n";
  text += line("deployed", record.deployed);
  text += line("moving-to", record.moving_to);
  text += line("quarantined", record.quarantined);
  text += line("roll-back-to", record.roll_back_to);
  if (record.pending) {
    text += to_text(*record.pending);
  }
  if (record.remote_away_since) {
    text += line("remote-away-since", to_string(*record.remote_away_since));
  }
  for (const Deployment& deployment : record.history) {
    text += to_text(deployment);
  }
  for (const auto& [name, component] : record.components) {
    text += fmt::format("\n[{}]\n", name);
    text += line("commit", component.commit);
    text += line("restarted", component.restarted);
    for (const auto& [input, hash] : component.inputs) {
      text += fmt::format("input = {}  {}\n", ini_escaped(hash),
                          ini_escaped(input));
    }
  }
  return text;
}

Record parse_record(std::string_view text, const std::string& source) {
  const auto refuse = [&](const std::string& why) -> Error {
    return Error(
        fmt::format("the record {} cannot be read: {}", source, why),
        fmt::format("mend that line, or start anew: mv {0} {0}.old", source));
  };
  Record record;
  try {
    for (const IniEntry& entry : parse_ini(text, source)) {
      if (entry.section.empty()) {
        read_entry(record, entry);
      } else if (!is_plain_name(entry.section)) {
        throw Malformed{"a component has a name that none can have"};
      } else {
        read_component_entry(record.components[entry.section], entry);
      }
    }
  } catch (const Malformed& malformed) {
    throw refuse(malformed.why);
  } catch (const UsageError& error) {
    throw refuse(error.what());
  }
  if (record.pending && record.pending->tip.empty()) {
    throw refuse("it tells of a failure and names no pending commit");
  }
  return record;
}

RecordFile::RecordFile(std::filesystem::path state_dir)
    : state_dir_(std::move(state_dir)) {}

std::optional<Record> RecordFile::load() const {
  const std::optional<Directory> directory = Directory::open(state_dir_);
  if (!directory) {
    return std::nullopt;
  }
  const std::optional<std::string> text = directory->read("record");
  if (!text) {
    return std::nullopt;
  }
  return parse_record(*text, path().string());
}

void RecordFile::save(const Record& record) const {
  Directory::create(state_dir_).replace("record", to_text(record));
}

}  // namespace deployment
