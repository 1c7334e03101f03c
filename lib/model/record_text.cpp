#include "lib/model/record_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "lib/base/error.hpp"
#include "lib/base/ini.hpp"
#include "lib/base/text.hpp"

namespace deployment {
namespace {

// A line that cannot be part of a record; the caller adds where and what to do.
struct Malformed {
  std::string why;
};

// The values of the record as text and back: read() throws Malformed, and an
// empty text is a value that is not written.

CommitId commit_of(std::string_view text) {
  const auto commit = CommitId::parse(text);
  if (!commit) {
    throw Malformed{fmt::format("malformed commit id '{}'", escaped(text))};
  }
  return *commit;
}

void read(std::optional<CommitId>& value, std::string_view text) {
  value = commit_of(text);
}
std::string written(const std::optional<CommitId>& value) {
  return value ? value->str() : "";
}

void read(Time& value, std::string_view text) {
  const std::optional<Time> time = parse_time(text);
  if (!time) {
    throw Malformed{fmt::format("malformed time '{}'", escaped(text))};
  }
  value = *time;
}
std::string written(const Time& value) {
  return to_string(value);
}

void read(std::optional<Time>& value, std::string_view text) {
  read(value.emplace(), text);
}
std::string written(const std::optional<Time>& value) {
  return value ? to_string(*value) : "";
}

void read(int& value, std::string_view text) {
  const std::optional<int> number = parse_number(text);
  if (!number) {
    throw Malformed{fmt::format("malformed number '{}'", escaped(text))};
  }
  value = *number;
}
std::string written(int value) {
  return std::to_string(value);
}

void read(bool& value, std::string_view text) {
  value = text == "yes";
}
std::string written(bool value) {
  return value ? "yes" : "";
}

void read(Reached& value, std::string_view text) {
  const auto reached = parse_reached(text);
  if (!reached) {
    throw Malformed{
        fmt::format("'{}' is neither moved nor restarted", escaped(text))};
  }
  value = *reached;
}
std::string written(Reached value) {
  return std::string(to_string(value));
}

// One field of an Owner: its key, and how it is read and written. A field that
// repeats has a line for each of its values.
template <typename Owner>
struct Field {
  std::string_view key;
  std::function<void(Owner&, std::string_view)> read;
  std::function<std::vector<std::string>(const Owner&)> written;
};

template <typename Owner, typename Value>
Field<Owner> field(std::string_view key, Value Owner::*member) {
  return {key,
          [member](Owner& owner, std::string_view text) {
            deployment::read(owner.*member, text);
          },
          [member](const Owner& owner) -> std::vector<std::string> {
            return {deployment::written(owner.*member)};
          }};
}

template <typename Owner>
using Fields = std::vector<Field<Owner>>;

// "TIME OUTCOME SECONDS FROM TO"; FROM is "-" for a first deployment.
Deployment deployment_of(std::string_view text) {
  const auto words = split(text, ' ');
  if (words.size() != 5) {
    throw Malformed{"a deployment of the history has not five words"};
  }
  const auto outcome = parse_outcome(words[1]);
  if (!outcome) {
    throw Malformed{fmt::format("unknown outcome '{}'", escaped(words[1]))};
  }
  Deployment deployment{.outcome = *outcome, .to = commit_of(words[4])};
  int seconds = 0;
  read(deployment.ended, words[0]);
  read(seconds, words[2]);
  deployment.duration = std::chrono::seconds(seconds);
  if (words[3] != "-") {
    read(deployment.from, words[3]);
  }
  return deployment;
}

std::string written(const Deployment& deployment) {
  return fmt::format("{} {} {} {} {}", to_string(deployment.ended),
                     to_string(deployment.outcome), deployment.duration.count(),
                     deployment.from ? deployment.from->str() : "-",
                     deployment.to);
}

// "HASH  NAME", as sha256sum(1) writes it.
void read_input(Inputs& inputs, std::string_view text) {
  const std::size_t gap = text.find("  ");
  if (gap == std::string_view::npos) {
    throw Malformed{fmt::format("the input '{}' has no name", escaped(text))};
  }
  inputs[ini_unescaped(text.substr(gap + 2))] =
      ini_unescaped(text.substr(0, gap));
}

std::vector<std::string> written(const Inputs& inputs) {
  std::vector<std::string> lines;
  for (const auto& [name, hash] : inputs) {
    lines.push_back(
        fmt::format("{}  {}", ini_escaped(hash), ini_escaped(name)));
  }
  return lines;
}

// A part of the failure, which both of its keys make.
Field<Pending> failure_field(std::string_view key, std::string Failure::*part) {
  return {key,
          [part](Pending& pending, std::string_view text) {
            if (!pending.failure && !text.empty()) {
              pending.failure.emplace();
            }
            if (pending.failure) {
              *pending.failure.*part = ini_unescaped(text);
            }
          },
          [part](const Pending& pending) -> std::vector<std::string> {
            return {pending.failure ? ini_escaped(*pending.failure.*part) : ""};
          }};
}

const Fields<Pending>& pending_fields() {
  static const Fields<Pending> fields = {
      field("reached", &Pending::reached),
      field("running", &Pending::running),
      failure_field("failed-step", &Failure::step),
      failure_field("error", &Failure::error),
      field("attempts", &Pending::attempts),
      field("since", &Pending::since),
      field("next-try", &Pending::next_try)};
  return fields;
}

// A field of the pending deployment, whose own line comes first.
Field<Record> of_pending(const Field<Pending>& inner) {
  return {inner.key,
          [&inner](Record& record, std::string_view text) {
            if (!record.pending) {
              throw Malformed{fmt::format(
                  "'{}' stands before the pending commit", inner.key)};
            }
            inner.read(*record.pending, text);
          },
          [&inner](const Record& record) {
            return record.pending ? inner.written(*record.pending)
                                  : std::vector<std::string>();
          }};
}

// All fields of a record but for those of its components, in the order in which
// they are written.
Fields<Record> make_record_fields() {
  Fields<Record> fields = {
      field("deployed", &Record::deployed),
      field("moving-to", &Record::moving_to),
      field("quarantined", &Record::quarantined),
      field("roll-back-to", &Record::roll_back_to),
      {"pending",
       [](Record& record, std::string_view text) {
         record.pending = Pending{.tip = commit_of(text)};
       },
       [](const Record& record) -> std::vector<std::string> {
         return {record.pending ? record.pending->tip.str() : ""};
       }}};
  for (const Field<Pending>& inner : pending_fields()) {
    fields.push_back(of_pending(inner));
  }
  fields.push_back(field("remote-away-since", &Record::remote_away_since));
  fields.push_back({"deployment",
                    [](Record& record, std::string_view text) {
                      add_to_history(record, deployment_of(text));
                    },
                    [](const Record& record) {
                      std::vector<std::string> lines;
                      for (const Deployment& past : record.history) {
                        lines.push_back(written(past));
                      }
                      return lines;
                    }});
  return fields;
}

const Fields<Record>& record_fields() {
  static const Fields<Record> fields = make_record_fields();
  return fields;
}

const Fields<ComponentRecord>& component_fields() {
  static const Fields<ComponentRecord> fields = {
      field("commit", &ComponentRecord::commit),
      field("restarted", &ComponentRecord::unverified_commit),
      {"input",
       [](ComponentRecord& component, std::string_view text) {
         read_input(component.inputs, text);
       },
       [](const ComponentRecord& component) {
         return written(component.inputs);
       }}};
  return fields;
}

template <typename Owner>
void read_entry(const Fields<Owner>& fields, Owner& owner,
                const IniEntry& entry) {
  const auto field =
      std::find_if(fields.begin(), fields.end(),
                   [&](const auto& f) { return f.key == entry.key; });
  if (field == fields.end()) {
    throw Malformed{fmt::format("unknown key '{}'", escaped(entry.key))};
  }
  field->read(owner, entry.value);
}

template <typename Owner>
std::string lines_of(const Fields<Owner>& fields, const Owner& owner) {
  std::string text;
  for (const Field<Owner>& field : fields) {
    for (const std::string& value : field.written(owner)) {
      if (!value.empty()) {
        text += fmt::format("{} = {}\n", field.key, value);
      }
    }
  }
  return text;
}

}  // namespace

std::string to_text(const Record& record) {
  std::string text =
      "# The state of deployments; written by deployment-update.\n" +
      lines_of(record_fields(), record);
  for (const auto& [name, component] : record.components) {
    text +=
        fmt::format("\n[{}]\n", name) + lines_of(component_fields(), component);
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
        read_entry(record_fields(), record, entry);
      } else if (!is_plain_name(entry.section)) {
        throw Malformed{fmt::format("'{}' is not the name of a component",
                                    escaped(entry.section))};
      } else {
        read_entry(component_fields(), record.components[entry.section], entry);
      }
    }
  } catch (const Malformed& malformed) {
    throw refuse(malformed.why);
  } catch (const UsageError& error) {
    throw refuse(error.what());
  }
  return record;
}

}  // namespace deployment
