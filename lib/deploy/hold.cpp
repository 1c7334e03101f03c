#include "lib/deploy/hold.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "lib/base/directory.hpp"
#include "lib/base/error.hpp"
#include "lib/base/ini.hpp"
#include "lib/base/text.hpp"
#include "lib/base/user.hpp"
#include "lib/checkout/ownership.hpp"
#include "lib/deploy/journal.hpp"
#include "lib/deploy/other_records.hpp"
#include "lib/model/paths.hpp"

namespace deployment {
namespace {

std::string to_text(const Hold& hold) {
  return fmt::format(
      "# Nothing is deployed while this file is here; written by\n"
      "# deployment-update --hold.\n"
      "since = {}\nby = {}\nreason = {}\n",
      to_string(hold.since), ini_escaped(hold.by), ini_escaped(hold.reason));
}

// Throws Error, which names `source`, when `text` is no hold.
Hold parse(std::string_view text, const std::string& source) {
  Hold hold;
  std::optional<Time> since;
  for (const IniEntry& entry : parse_ini(text, source)) {
    if (entry.key == "since") {
      since = parse_time(entry.value);
    } else if (entry.key == "by") {
      hold.by = ini_unescaped(entry.value);
    } else if (entry.key == "reason") {
      hold.reason = ini_unescaped(entry.value);
    }
  }
  if (!since) {
    throw Error(source + ": it does not say since when");
  }
  hold.since = *since;
  return hold;
}

// Throws Error for a person whose runs would be refused, so that nobody
// believes to hold what goes on.
void require_right(const Config& config) {
  refuse_beside_root(config);
  if (geteuid() == 0) {
    return;
  }
  struct stat status {};
  const auto checkout = open_checkout(config.repo_dir);
  if (::fstat(checkout->fd(), &status) != 0 || status.st_uid != geteuid()) {
    throw Error(fmt::format("{} belongs to another user, who deploys it",
                            config.repo_dir.string()),
                "run it as that user, or as root");
  }
}

std::string hold_file(const Config& config) {
  return (*config.state_dir / hold_name).string();
}

}  // namespace

std::optional<Hold> read_hold(const Config& config) {
  const std::string file = hold_file(config);
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0 && errno == ENOENT) {
    return std::nullopt;
  }
  const auto text =
      Directory::open_protected(*config.state_dir).read(hold_name);
  if (!text) {  // released meanwhile
    return std::nullopt;
  }
  try {
    return parse(*text, file);
  } catch (const Error& error) {
    throw Error(fmt::format("deployments are held, but nobody can say why: {}",
                            error.what()),
                "to go on: " + command_with(config, "--release"));
  }
}

std::optional<Hold> look_at_hold(const Config& config) {
  try {
    return read_hold(config);
  } catch (const Error& error) {
    return Hold{.since = now(), .by = "-", .reason = error.what()};
  }
}

std::string describe(const Hold& hold) {
  return fmt::format("since {}, as {} asked: {}", to_string(hold.since),
                     escaped(hold.by), escaped(hold.reason));
}

std::string describe_until_release(const Hold& hold, const Config& config) {
  return fmt::format("held {}; to go on: {}", describe(hold),
                     command_with(config, "--release"));
}

Json to_json(const Hold& hold) {
  return {{"since", to_string(hold.since)},
          {"by", hold.by},
          {"reason", hold.reason}};
}

int begin_hold(const Config& config, const std::string& reason, Log& log) {
  require_right(config);
  const std::optional<Hold> before = look_at_hold(config);
  const Hold hold{.since = now(),
                  .by = name_of_person(),
                  .reason = std::string(trimmed(reason))};
  Directory::create_protected(*config.state_dir)
      .replace(hold_name, to_text(hold));
  if (before) {
    log.info("replaces the hold " + describe(*before));
  }
  log.info(describe_until_release(hold, config));
  const Record record = Journal(*config.state_dir).record();
  if (record.pending && record.pending->running) {
    log.warning(
        "a run is in progress, or was killed: the first goes on to its end, "
        "and what the other left stays as it is until the hold ends");
  }
  return 0;
}

int end_hold(const Config& config, Log& log) {
  require_right(config);
  const std::optional<Hold> before = look_at_hold(config);
  if (!before) {
    log.info("nothing is held");
    return 0;
  }
  Directory::create_protected(*config.state_dir).remove(hold_name);
  log.info("released; it was held " + describe(*before));
  return 0;
}

}  // namespace deployment
