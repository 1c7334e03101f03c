#include "cmd/options.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "cmd/instances.hpp"
#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/model/paths.hpp"
#include "lib/model/settings.hpp"

namespace deployment {
namespace fs = std::filesystem;
namespace po = boost::program_options;

namespace {

constexpr const char* default_config_file = "/etc/deployment-update.conf";

// The value of an option, which the help calls `name`.
auto* takes(const char* name) {
  return po::value<std::string>()->value_name(name);
}

// Settings, which a configuration file may give too.
po::options_description settings() {
  po::options_description options("Settings (also keys of the configuration)");
  options.add_options()                                                   //
      ("repo-dir", takes("DIR"), "the checkout (/home/ubuntu/sinesiAI)")  //
      ("remote", takes("NAME"), "the remote (origin)")                    //
      ("branch", takes("NAME"), "the branch (prod)")                      //
      ("state-dir", takes("DIR"),
       "where the record is kept ($STATE_DIRECTORY, else "
       "/var/lib/deployment-update for root, else "
       "$XDG_STATE_HOME/deployment-update)")  //
      ("build", takes("in-place|staged"),
       "where an environment is built (staged)");
  return options;
}

// Options of one run. A switch with a value is made, defaulted and noted by
// each run: these have none.
po::options_description actions() {
  po::options_description actions("Options");
  actions.add_options()  //
      ("config", takes("FILE"),
       "configuration (/etc/deployment-update.conf if it exists)")  //
      ("instance", takes("NAME"),
       "one of several applications on this host: its configuration is "
       "/etc/deployment-update/NAME.conf, its record in the folder NAME of "
       "the default state directory")                   //
      ("dry-run", "print the plan and change nothing")  //
      ("force",
       "install and restart every component at the remote's tip even if "
       "nothing changed, and try a failed deployment again now")  //
      ("rollback",
       "return to the deployment before this one, or go to COMMIT of the last "
       "ten (its first digits), and quarantine the remote's commit")  //
      ("hold", takes("REASON"),
       "let runs change nothing, but those with --force and --rollback, until "
       "--release; they say the reason")  //
      ("release", "end the hold")         //
      ("status",
       "print whether production is on what was pushed and, if not, why")  //
      ("check",
       "look at all that a deployment needs, and print what is in the way, "
       "each with its remedy")  //
      ("history",
       "print the last N deployments (10; 100 are kept), with their steps")  //
      ("poll", takes("UNIT"),
       "look whether a run has something to do, and let systemd start UNIT if "
       "so")  //
      ("json",
       "with --dry-run, --status, --history and --check: print JSON")         //
      ("wait", takes("SECONDS"), "wait for another run that holds the lock")  //
      ("verbose,v", "log every command")                                      //
      ("help,h", "print this help")                                           //
      ("version", "print the version");
  return actions;
}

void read_count(Options& options, const std::string& word) {
  const std::optional<int> count = parse_number(word);
  if (!count || *count == 0) {
    throw UsageError(
        fmt::format("command line: --history '{}' is not allowed; it takes how "
                    "many deployments to print",
                    escaped(word)));
  }
  options.count = *count;
}

// Only a rollback, the first digits of a commit, and the history, a number,
// take an argument.
void read_arguments(Options& options, const std::vector<std::string>& words) {
  constexpr std::size_t least_digits = 7;
  Request& request = options.request;
  const bool takes_one = request.roll_back || options.history;
  const std::string& word = words.front();
  if (!takes_one || words.size() > 1) {
    throw UsageError(
        fmt::format("command line: '{}' is not an option; see --help",
                    escaped(takes_one ? words[1] : word)));
  }
  if (options.history) {
    read_count(options, word);
    return;
  }
  if (word.size() < least_digits ||
      word.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw UsageError(fmt::format(
        "command line: --rollback '{}' is not allowed; it takes at least {} "
        "digits of a commit id",
        escaped(word), least_digits));
  }
  request.commit = word;
}

void read_flags(Options& options, const po::variables_map& values) {
  Request& request = options.request;
  for (const auto& [name, value] : {std::pair("dry-run", &request.dry_run),
                                    {"force", &request.force},
                                    {"rollback", &request.roll_back},
                                    {"json", &request.json},
                                    {"release", &options.release},
                                    {"status", &options.status},
                                    {"check", &options.check},
                                    {"history", &options.history},
                                    {"verbose", &options.verbose},
                                    {"help", &options.help},
                                    {"version", &options.version}}) {
    *value = values.contains(name);
  }
}

po::variables_map parse_command_line(Options& options, int argc,
                                     const char* const argv[]) {
  namespace style = po::command_line_style;
  po::options_description all;
  all.add(actions()).add(settings());
  all.add_options()("argument", po::value<std::vector<std::string>>());
  po::positional_options_description arguments;
  arguments.add("argument", -1);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(argc, argv)
                  .options(all)
                  .positional(arguments)
                  .style(style::unix_style & ~style::allow_guessing)
                  .run(),
              values);
  } catch (const po::error& error) {
    // Boost's what() never ends when an argument looks like its own template,
    // "--%option%" for one.
    const bool is_printable =
        std::none_of(argv, argv + argc, [](std::string_view word) {
          return word.find('%') != std::string_view::npos;
        });
    throw UsageError(fmt::format("command line: {}; see --help",
                                 is_printable
                                     ? escaped(error.what())
                                     : "an argument is not understood"));
  }
  po::notify(values);
  read_flags(options, values);
  if (values.contains("argument")) {
    read_arguments(options, values["argument"].as<std::vector<std::string>>());
  }
  return values;
}

void read_config_file(Config& config, const std::string& path, bool required) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) {
    if (errno == ENOENT && !required) {
      return;
    }
    throw UsageError(
        fmt::format("{}: cannot be read: {}", path, errno_text(errno)));
  }
  // A user who can write the configuration decides what root runs.
  if (geteuid() == 0 && others_can_write(fd.get(), path)) {
    throw UsageError(fmt::format(
        "{0}: others than root can write it; chown root: {1} && chmod go-w {1}",
        path, quoted(path)));
  }
  apply_config_file(config, read_all(fd.get(), path), path);
}

std::chrono::seconds parse_wait(const std::string& value) {
  const std::optional<int> seconds = parse_number(value);
  if (!seconds) {
    throw UsageError(fmt::format(
        "command line: --wait = '{}' is not allowed; it takes a whole number "
        "of seconds",
        escaped(value)));
  }
  return std::chrono::seconds(*seconds);
}

// Reads which instance the command line names, if any, and returns the path of
// the configuration file; nullopt: the default one.
std::optional<std::string> read_instance(Config& config,
                                         const po::variables_map& values) {
  if (values.contains("config")) {
    const std::string file = values["config"].as<std::string>();
    config.instance = instance_of(file);
    return file;
  }
  if (!values.contains("instance")) {
    return std::nullopt;
  }
  const std::string name = values["instance"].as<std::string>();
  if (!is_instance_name(name)) {
    throw no_instance_name("--instance", name);
  }
  config.instance = name;
  return fs::path(instance_folder) / (name + ".conf");
}

// Reads the configuration file, over it the settings of the command line.
void read_settings(Config& config, const po::variables_map& values) {
  const std::optional<std::string> named = read_instance(config, values);
  read_config_file(config, named.value_or(default_config_file),
                   named.has_value());
  for (const auto& [name, value] : values) {
    if (is_setting(name)) {
      set(config, name, value.as<std::string>(), "command line");
    }
  }
}

}  // namespace

Options parse_options(int argc, const char* const argv[]) {
  Options options;
  const po::variables_map values = parse_command_line(options, argc, argv);
  if (options.help || options.version) {
    return options;
  }
  if (values.contains("wait")) {
    options.request.wait = parse_wait(values["wait"].as<std::string>());
  }
  if (values.contains("hold")) {
    options.hold = values["hold"].as<std::string>();
  }
  if (values.contains("poll")) {
    options.poll = values["poll"].as<std::string>();
  }
  // systemd sets it for each process that it starts (systemd.exec(5)).
  options.request.by_hand = std::getenv("INVOCATION_ID") == nullptr;
  if (values.contains("instance") && values.contains("config")) {
    throw UsageError(
        "command line: --instance does not go with --config: it names the "
        "configuration");
  }
  require_sense(options);
  read_settings(options.config, values);
  Config& config = options.config;
  if (!config.state_dir) {
    config.state_dir = only_looks(options)
                           ? default_state_dir_to_look_at(config.instance)
                           : default_state_dir(config.instance);
  }
  return options;
}

std::string help_text() {
  std::ostringstream text;
  text << "Usage: deployment-update [OPTION]...\n"
          "       deployment-update --rollback [COMMIT] [OPTION]...\n"
          "       deployment-update --history [N] [OPTION]...\n"
          "       deployment-update --hold REASON | --release\n\n"
          "Deploys what a remote's branch holds to this host: fetch, "
          "fast-forward, install\nwhat changed, restart the services, verify "
          "that they stay up. Without options it\ndeploys branch prod of "
          "origin to /home/ubuntu/sinesiAI.\n\n"
       << actions() << '\n'
       << settings()
       << "\nExit codes:\n"
          "  0   up to date, deployed, held, put off by the gate, or rolled "
          "back\n"
          "      by a person\n"
          "  1   failed, pending or quarantined, remote away, or obstacles\n"
          "  2   usage or configuration\n"
          "  75  another run holds the lock\n"
          "  128+N  ended by signal N\n";
  return text.str();
}

}  // namespace deployment
