#include "lib/model/record_text.hpp"

#include "lib/base/error.hpp"
#include "lib/base/ini.hpp"
#include "lib/model/deployment_text.hpp"

namespace deployment {
namespace {

// The values of the record as text and back: read() throws Malformed, and an
// empty text is a value that is not written.

void read(std::optional<CommitId>& value, std::string_view text) {
  value = commit_of(text);
}
std::string written(const CommitId& value) {
  return value.str();
}

void read(std::optional<Pending>& value, std::string_view text) {
  value = Pending{.tip = commit_of(text)};
}
std::string written(const Pending& value) {
  return value.tip.str();
}

void read(Time& value, std::string_view text) {
  value = require(parse_time(text), "malformed time '{}'", text);
}
void read(std::optional<Time>& value, std::string_view text) {
  read(value.emplace(), text);
}
std::string written(const Time& value) {
  return to_string(value);
}

void read(std::optional<Retry>& value, std::string_view text) {
  value = require(parse_retry(text), "malformed number and time '{}'", text);
}
std::string written(const Retry& value) {
  return to_line(value);
}

template <typename Value>
std::string written(const std::optional<Value>& value) {
  return value ? written(*value) : "";
}

void read(int& value, std::string_view text) {
  value = number_of(text);
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
  value = require(one_of({Reached::moved, Reached::restarted}, text),
                  "'{}' is neither moved nor restarted", text);
}
std::string written(Reached value) {
  return std::string(to_string(value));
}

void read(std::string& value, std::string_view text) {
  value = ini_unescaped(text);
}
std::string written(const std::string& value) {
  return ini_escaped(value);
}

void read(std::filesystem::path& value, std::string_view text) {
  value = ini_unescaped(text);
}
std::string written(const std::filesystem::path& value) {
  return ini_escaped(value.string());
}

void read(std::vector<Deployment>& history, std::string_view text) {
  add_to_history(history, parse_deployment(text));
}
std::string written(const Deployment& deployment) {
  return to_line(deployment);
}

void read(Inputs& inputs, std::string_view text) {
  if (!add_line(inputs, text)) {
    throw Malformed{fmt::format("the input '{}' has no name", escaped(text))};
  }
}
std::string written(const Inputs::value_type& input) {
  return to_line(input);
}

// "COMMIT COMPONENT"
void read(std::map<std::string, CommitId>& released, std::string_view text) {
  const auto words = split(text, ' ');
  if (words.size() != 2 || !is_plain_name(words[1])) {
    throw Malformed{fmt::format(
        "'{}' is not a commit and the name of a component", escaped(text))};
  }
  released.insert_or_assign(std::string(words[1]), commit_of(words[0]));
}
std::string written(const std::pair<const std::string, CommitId>& released) {
  return fmt::format("{} {}", released.second, released.first);
}

void read(Endpoints& endpoints, std::string_view text) {
  endpoints.push_back(
      require(parse_endpoint(text), "malformed address '{}'", text));
}
std::string written(const Endpoint& endpoint) {
  return to_string(endpoint);
}

// Reads one entry into the field that has its key.
struct Reader {
  const IniEntry& entry;
  bool is_known = false;

  template <typename Value>
  void operator()(std::string_view key, Value& value) {
    if (key == entry.key) {
      read(value, entry.value);
      is_known = true;
    }
  }

  // A field of the pending deployment, whose own line comes first.
  template <typename Field, typename... Part>
  void operator()(std::string_view key, std::optional<Pending>& pending,
                  Field field, Part... part) {
    if (pending) {
      (*this)(key, *pending.*field, part...);
    } else if (key == entry.key) {
      throw Malformed{
          fmt::format("'{}' stands before the pending commit", key)};
    }
  }

  // A part of the failure, which both of its keys make.
  void operator()(std::string_view key, std::optional<Failure>& failure,
                  std::string Failure::*part) {
    if (key == entry.key && !failure && !entry.value.empty()) {
      failure.emplace();
    }
    std::string ignored;
    (*this)(key, failure ? *failure.*part : ignored);
  }
};

// Writes a line for each field that has a value, or for each of its values.
struct Writer {
  std::string text;

  template <typename Value>
  void operator()(std::string_view key, const Value& value) {
    if constexpr (requires { written(value); }) {
      const std::string line = written(value);
      text += line.empty() ? "" : fmt::format("{} = {}\n", key, line);
    } else {
      for (const auto& one : value) {
        (*this)(key, one);
      }
    }
  }

  template <typename Owner, typename Field, typename... Part>
  void operator()(std::string_view key, const std::optional<Owner>& owner,
                  Field field, Part... part) {
    if (owner) {
      (*this)(key, *owner.*field, part...);
    }
  }
};

// Passes `form` all fields of a record but for those of its components, in the
// order in which they are written.
template <typename Form, typename Owner>
void visit_record(Form& form, Owner& record) {
  form("checkout", record.checkout);
  form("checkout-id", record.checkout_id);
  form("deployed", record.deployed);
  form("remote-commit", record.remote_commit);
  form("moving-to", record.moving_to);
  form("quarantined", record.quarantined);
  form("quarantined-by", record.quarantined_by);
  form("quarantined-step", record.quarantined_for, &Failure::step);
  form("quarantined-error", record.quarantined_for, &Failure::error);
  form("roll-back-to", record.roll_back_to);
  form("pending", record.pending);
  form("reached", record.pending, &Pending::reached);
  form("running", record.pending, &Pending::running);
  form("repairs", record.pending, &Pending::repairs);
  form("failed-step", record.pending, &Pending::failure, &Failure::step);
  form("error", record.pending, &Pending::failure, &Failure::error);
  form("deferred-since", record.pending, &Pending::deferred_since);
  form("attempts", record.pending, &Pending::attempts);
  form("since", record.pending, &Pending::since);
  form("next-try", record.pending, &Pending::next_try);
  form("released", record.released);
  form("remote-away-since", record.remote_away_since);
  form("told", record.told.outcome);
  form("told-away-since", record.told.away_since);
  form("told-held-since", record.told.held_since);
  form("told-retry", record.told.retry);
  form("deployment", record.history);
}

template <typename Form, typename Owner>
void visit_component(Form& form, Owner& component) {
  form("configured", component.configured);
  form("commit", component.commit);
  form("restarted", component.unverified_commit);
  form("input", component.inputs);
  form("outputs", component.has_outputs);
  form("root", component.root);
  form("listens", component.listens);
  form("may-move", component.may_move);
}

void read_entry(Record& record, const IniEntry& entry) {
  Reader reader{entry};
  if (entry.section.empty()) {
    visit_record(reader, record);
  } else if (is_plain_name(entry.section)) {
    visit_component(reader, record.components[entry.section]);
  } else {
    throw Malformed{fmt::format("'{}' is not the name of a component",
                                escaped(entry.section))};
  }
  if (!reader.is_known) {
    throw Malformed{fmt::format("unknown key '{}'", escaped(entry.key))};
  }
}

}  // namespace

std::string to_text(const Record& record) {
  Writer writer{"# The state of deployments; written by deployment-update.\n"};
  visit_record(writer, record);
  for (const auto& [name, component] : record.components) {
    writer.text += fmt::format("\n[{}]\n", name);
    visit_component(writer, component);
  }
  return writer.text;
}

Record parse_record(std::string_view text, const std::string& source) {
  const auto refuse = [&](const std::string& why) -> Error {
    return Error(fmt::format("the record {} cannot be read: {}", source, why),
                 fmt::format("fix that line, or start over: mv {0} {0}.old",
                             quoted(source)));
  };
  Record record;
  try {
    for (const IniEntry& entry : parse_ini(text, source)) {
      read_entry(record, entry);
    }
  } catch (const Malformed& malformed) {
    throw refuse(malformed.why);
  } catch (const UsageError& error) {
    throw refuse(error.what());
  }
  return record;
}

}  // namespace deployment
