#include "cmd/options.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "lib/base/file.hpp"
#include "lib/base/text.hpp"
#include "lib/model/paths.hpp"
#include "lib/model/settings.hpp"

namespace deployment {
namespace fs = std::filesystem;
namespace po = boost::program_options;

namespace {

constexpr const char* default_config_file = "/etc/deployment-update.conf";
constexpr const char* config_suffix = ".conf";  // of an instance

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

// Options of one run, which are read into `options`.
po::options_description actions(Options& options) {
  Request& request = options.request;
  po::options_description actions("Options");
  actions.add_options()  //
      ("config", takes("FILE"),
       "configuration (/etc/deployment-update.conf if it exists)")  //
      ("instance", takes("NAME"),
       "one of several applications on this host: its configuration is "
       "/etc/deployment-update/NAME.conf, its record in the folder NAME of "
       "the default state directory")  //
      ("dry-run", po::bool_switch(&request.dry_run),
       "print the plan and change nothing")  //
      ("force", po::bool_switch(&request.force),
       "install and restart every component at the remote's tip even if "
       "nothing changed, and try a failed deployment again now")  //
      ("rollback", po::bool_switch(&request.roll_back),
       "return to the deployment before this one, or go to COMMIT of the "
       "history (its first digits), and quarantine the remote's commit")  //
      ("status", po::bool_switch(&options.status),
       "print what is deployed and what is pending")  //
      ("json", po::bool_switch(&request.json),
       "with --dry-run and --status: print JSON")                             //
      ("wait", takes("SECONDS"), "wait for another run that holds the lock")  //
      ("verbose,v", po::bool_switch(&options.verbose), "log every command")   //
      ("help,h", po::bool_switch(&options.help), "print this help")           //
      ("version", po::bool_switch(&options.version), "print the version");
  return actions;
}

// Only a rollback takes an argument: the first digits of a commit.
void read_arguments(Request& request, const std::vector<std::string>& words) {
  constexpr std::size_t least_digits = 7;
  const std::string& word = words.front();
  if (!request.roll_back || words.size() > 1) {
    throw UsageError(
        fmt::format("command line: '{}' is not an option; see --help",
                    escaped(request.roll_back ? words[1] : word)));
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

po::variables_map parse_command_line(Options& options, int argc,
                                     const char* const argv[]) {
  namespace style = po::command_line_style;
  po::options_description all;
  all.add(actions(options)).add(settings());
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
  if (values.contains("argument")) {
    read_arguments(options.request,
                   values["argument"].as<std::vector<std::string>>());
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

bool only_looks(const Options& options) {
  return options.request.dry_run || options.status;
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

void require_sense(const Options& options, const po::variables_map& values) {
  const Request& request = options.request;
  if (request.json && !only_looks(options)) {
    throw UsageError("command line: --json goes with --dry-run or --status");
  }
  if (options.status && (request.dry_run || request.force ||
                         request.roll_back || request.wait.count() != 0)) {
    throw UsageError("command line: --status goes with --json alone");
  }
  if (values.contains("instance") && values.contains("config")) {
    throw UsageError(
        "command line: --instance does not go with --config: it names the "
        "configuration");
  }
  if (request.roll_back && (request.dry_run || request.force)) {
    throw UsageError(
        "command line: --rollback goes neither with --dry-run nor --force");
  }
}

UsageError no_instance_name(const std::string& option,
                            const std::string& value) {
  return UsageError(fmt::format(
      "command line: {} '{}' is not allowed; an instance is configured in "
      "NAME.conf, where NAME has at most 200 letters, digits, -, _ and ., "
      "begins with a letter or digit, and is neither {} nor begins with {}.",
      option, escaped(value), record_name, record_name));
}

bool is_link(const std::string& file) {
  struct stat status {};
  return lstat(file.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

// `file` is an absolute path, which may lead through links.
bool is_in_instance_folder(const std::string& file) {
  struct stat folder {};
  struct stat of_instances {};
  return stat(file.substr(0, file.rfind('/') + 1).c_str(), &folder) == 0 &&
         stat(instance_folder, &of_instances) == 0 &&
         folder.st_dev == of_instances.st_dev &&
         folder.st_ino == of_instances.st_ino;
}

// Finds the instance whose configuration `file` is.
std::optional<std::string> instance_of(const std::string& file) {
  // Each run with --config looks here, and few are of an instance.
  std::error_code error;
  const bool may_be_one = !file.starts_with('/') ||
                          contains_any(file, {"/deployment-update/"}) ||
                          is_link(file) || is_in_instance_folder(file);
  if (!may_be_one) {
    return std::nullopt;
  }
  fs::path path =
      fs::is_symlink(file, error) ? fs::canonical(file, error) : fs::path(file);
  path = fs::absolute(path).lexically_normal();
  if (path.parent_path() != instance_folder &&
      !fs::equivalent(path.parent_path(), instance_folder, error)) {
    return std::nullopt;
  }
  const std::string name = path.stem();
  if (path.extension() != config_suffix || !is_instance_name(name)) {
    throw no_instance_name("--config", file);
  }
  return name;
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
  return fs::path(instance_folder) / (name + config_suffix);
}

// Reads the configuration file, over it the settings of the command line.
void read_settings(Config& config, const po::variables_map& values) {
  const std::optional<std::string> named = read_instance(config, values);
  read_config_file(config, named.value_or(default_config_file),
                   named.has_value());
  for (const std::string& name : setting_names()) {
    if (values.contains(name)) {
      set(config, name, values[name].as<std::string>(), "command line");
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
  // systemd sets it for each process that it starts (systemd.exec(5)).
  options.request.by_hand = std::getenv("INVOCATION_ID") == nullptr;
  require_sense(options, values);
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
  Options ignored;
  std::ostringstream text;
  text << "Usage: deployment-update [OPTION]...\n"
          "       deployment-update --rollback [COMMIT] [OPTION]...\n\n"
          "Deploys what a remote's branch holds to this host: fetch, "
          "fast-forward, install\nwhat changed, restart the services, verify "
          "that they stay up. Without options it\ndeploys branch prod of "
          "origin to /home/ubuntu/sinesiAI.\n\n"
       << actions(ignored) << '\n'
       << settings()
       << "\nExit codes:\n"
          "  0   up to date, deployed, or rolled back by a person\n"
          "  1   failed, pending or quarantined, or the remote is away\n"
          "  2   usage or configuration\n"
          "  75  another run holds the lock\n"
          "  128+N  ended by signal N\n";
  return text.str();
}

}  // namespace deployment
