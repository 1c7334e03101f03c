#include "cmd/options.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.hpp"
#include "lib/base/text.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

Options parse(const Words& words) {
  std::vector<const char*> arguments = {"deployment-update"};
  for (const std::string& word : words) {
    arguments.push_back(word.c_str());
  }
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

// A configuration file that only this process's user can write.
class ConfigFile : public Folder {
 public:
  explicit ConfigFile(std::string_view text = "") {
    write_file(path(), text);
    set_mode(0644);
  }

  std::string path() const { return *this / "a.conf"; }

  void set_mode(mode_t mode) const {
    REQUIRE(chmod(path().c_str(), mode) == 0);
  }

  // Reads `words` and this file.
  Options parse(Words words = {}) const {
    words.insert(words.end(), {"--config", path()});
    return deployment::parse(words);
  }
};

std::string refusal_of(const std::function<void()>& act) {
  const auto error = error_of<UsageError>(act);
  CHECK(error.exit_code() == exit_usage);
  CHECK_FALSE(contains(error.what(), "\n"));
  return error.what();
}

TEST_CASE("reads what is to be done") {
  const ConfigFile file;
  CHECK(file.parse({"--status"}).status);
  CHECK(file.parse({"--version"}).version);
  CHECK(file.parse({"--help"}).help);
  CHECK(file.parse({"-h"}).help);
}

TEST_CASE("helps whatever else is on the command line") {
  for (const char* option : {"--help", "--version"}) {
    CHECK_NOTHROW(parse({option, "--json", "--config", "/no/such/file"}));
  }
}

TEST_CASE("asks for nothing that no option names") {
  const Options options = ConfigFile().parse();
  CHECK_FALSE(options.help);
  CHECK_FALSE(options.version);
  CHECK_FALSE(options.status);
  CHECK_FALSE(options.hold);
  CHECK_FALSE(options.release);
  CHECK_FALSE(options.verbose);
  CHECK_FALSE(options.request.dry_run);
  CHECK_FALSE(options.request.force);
  CHECK_FALSE(options.request.roll_back);
  CHECK_FALSE(options.request.json);
  CHECK(options.request.wait == 0s);
}

TEST_CASE("reads each option of a run") {
  const ConfigFile file;
  CHECK(file.parse({"--verbose"}).verbose);
  CHECK(file.parse({"-v"}).verbose);
  CHECK(file.parse({"--dry-run"}).request.dry_run);
  CHECK(file.parse({"--force"}).request.force);
  CHECK(file.parse({"--rollback"}).request.roll_back);
  CHECK(file.parse({"--rollback"}).request.commit.empty());
  for (const Words& words :
       {Words{"--rollback", "0123abc"}, Words{"0123abc", "--rollback"}}) {
    CHECK(file.parse(words).request.roll_back);
    CHECK(file.parse(words).request.commit == "0123abc");
  }
  CHECK(file.parse({"--wait", "90"}).request.wait == 90s);
  CHECK(file.parse({"--hold", "until Monday"}).hold == "until Monday");
  CHECK(file.parse({"--release"}).release);
  CHECK(file.parse({"--dry-run", "--json"}).request.json);
  CHECK(file.parse({"--status", "--json"}).request.json);
  CHECK(file.parse({"--history", "--json"}).request.json);
  CHECK(file.parse({"--history"}).history);
  CHECK(file.parse({"--history"}).count == 10);
  CHECK(file.parse({"--history", "100"}).count == 100);
}

TEST_CASE("tells a run by hand from one that systemd started") {
  const ConfigFile file;
  const Variable none("INVOCATION_ID", nullptr);
  CHECK(file.parse().request.by_hand);
  const Variable set("INVOCATION_ID", "0123456789abcdef0123456789abcdef");
  CHECK_FALSE(file.parse().request.by_hand);
}

TEST_CASE("refuses in one line what the command line cannot say") {
  struct Case {
    Words words;
    std::string refusal;
  };
  for (const Case& c : {
           Case{{"--json"},
                "--json goes with --dry-run, --status, --history or "
                "--check"},
           Case{{"--json", "--force"},
                "--json goes with --dry-run, --status, --history or "
                "--check"},
           Case{{"--history", "--force"}, "--history goes with --json alone"},
           Case{{"--history", "--status"}, "--history goes with --json alone"},
           Case{{"--history", "0"},
                "--history '0' is not allowed; it takes how many deployments "
                "to print"},
           Case{{"--history", "all"},
                "--history 'all' is not allowed; it takes how many "
                "deployments to print"},
           Case{{"--history", "1", "2"}, "'2' is not an option; see --help"},
           Case{{"--rollback", "--force"},
                "--rollback goes neither with --dry-run nor --force"},
           Case{{"--rollback", "--dry-run"},
                "--rollback goes neither with --dry-run nor --force"},
           Case{{"--instance", "shop", "--config", "/etc/shop.conf"},
                "--instance does not go with --config: it names the "
                "configuration"},
           Case{{"--status", "--check"}, "--status goes with --json alone"},
           Case{{"--check", "--force"}, "--check goes with --json alone"},
           Case{{"--check", "--dry-run"}, "--check goes with --json alone"},
           Case{{"--status", "--rollback"}, "--status goes with --json alone"},
           Case{{"--status", "--force"}, "--status goes with --json alone"},
           Case{{"--status", "--dry-run"}, "--status goes with --json alone"},
           Case{{"--status", "--wait=1"}, "--status goes with --json alone"},
           Case{{"--hold", " "}, "--hold takes the reason, which runs say"},
           Case{{"--hold", "x", "--release"},
                "--hold, --release and --poll go with no other action"},
           Case{{"--hold", "x", "--rollback"},
                "--hold, --release and --poll go with no other action"},
           Case{{"--release", "--wait=1"},
                "--hold, --release and --poll go with no other action"},
           Case{{"--wait", "soon"},
                "--wait = 'soon' is not allowed; it takes a whole number of "
                "seconds"},
           Case{{"--wait", "1.5"},
                "--wait = '1.5' is not allowed; it takes a whole number of "
                "seconds"},
           Case{{"--wait"},
                "the required argument for option '--wait' is missing; see "
                "--help"},
           Case{{"--dry"}, "unrecognised option '--dry'; see --help"},
           Case{{"--rollback", "abcdef"},
                "--rollback 'abcdef' is not allowed; it takes at least 7 "
                "digits of a commit id"},
           Case{{"--rollback", "master1"},
                "--rollback 'master1' is not allowed; it takes at least 7 "
                "digits of a commit id"},
           Case{{"--rollback", "0123abc", "456789a"},
                "'456789a' is not an option; see --help"},
           Case{{"0123abc"}, "'0123abc' is not an option; see --help"},
           Case{{"now"}, "'now' is not an option; see --help"},
           Case{{"a\nb"}, "'a\\x0ab' is not an option; see --help"},
           Case{{"--%option%"}, "an argument is not understood; see --help"},
       }) {
    CHECK(refusal_of([&] { parse(c.words); }) == "command line: " + c.refusal);
  }
}

TEST_CASE("prefers the command line to the configuration file") {
  const ConfigFile file("remote = upstream\nbranch = main\n");
  const Config config = file.parse({"--branch", "next"}).config;
  CHECK(config.remote == "upstream");
  CHECK(config.branch == "next");
}

TEST_CASE("reads each setting of the command line") {
  const Config config =
      ConfigFile()
          .parse({"--repo-dir", "/srv/app", "--remote", "upstream", "--branch",
                  "main", "--state-dir", "/srv/state", "--build", "in-place"})
          .config;
  CHECK(config.repo_dir == "/srv/app");
  CHECK(config.remote == "upstream");
  CHECK(config.branch == "main");
  CHECK(config.state_dir == "/srv/state");
  CHECK(config.build == BuildMode::in_place);
}

TEST_CASE("tells where a setting that is not allowed stands") {
  const ConfigFile good;
  CHECK(refusal_of([&] {
          good.parse({"--build", "elsewhere"});
        }).starts_with("command line: build = 'elsewhere' "));
  const ConfigFile bad("build = elsewhere\n");
  CHECK(refusal_of([&] { bad.parse(); }).starts_with(bad.path()));
}

TEST_CASE("takes the service manager's state directory unless one is named") {
  const Variable given("STATE_DIRECTORY", "/run/state");
  const ConfigFile file;
  CHECK(file.parse().config.state_dir == "/run/state");
  CHECK(file.parse({"--state-dir", "/srv/state"}).config.state_dir ==
        "/srv/state");
  CHECK(ConfigFile("state-dir = /srv/state\n").parse().config.state_dir ==
        "/srv/state");
}

TEST_CASE("the configuration of an instance is that of its name") {
  for (const Words& words :
       {Words{"--instance", "no-such.one"},
        Words{"--config", "/etc/deployment-update/no-such.one.conf"}}) {
    CHECK(refusal_of([&] { parse(words); }) ==
          "/etc/deployment-update/no-such.one.conf: cannot be read: No such "
          "file or directory");
  }
}

TEST_CASE("refuses a name that no instance has") {
  const std::string allowed =
      " is not allowed; an instance is configured in NAME.conf, where NAME has "
      "at most 200 letters, digits, -, _ and ., begins with a letter or digit, "
      "and is neither record nor begins with record.";
  for (const std::string name : {".", "../shop", "a/b", "a b", "record"}) {
    CHECK(refusal_of([&] { parse({"--instance=" + name}); }) ==
          "command line: --instance '" + name + "'" + allowed);
  }
  for (const std::string folder :
       {"/etc/deployment-update/", "/etc/ssl/../deployment-update/"}) {
    for (const std::string name : {"shop", "shop.conf.old", "record.conf"}) {
      const std::string path = folder + name;
      CHECK(refusal_of([&] {
              parse({"--config", path});
            }) == "command line: --config '" + path + "'" + allowed);
    }
  }
}

TEST_CASE("a configuration elsewhere is no instance's") {
  CHECK(ConfigFile().parse().config.instance == std::nullopt);
}

TEST_CASE("refuses a configuration file that is named and missing") {
  CHECK(refusal_of([] {
          parse({"--config", "/no/such/file"});
        }) == "/no/such/file: cannot be read: No such file or directory");
}

TEST_CASE("refuses as root a configuration that others can write") {
  if (!is_root()) {
    return;
  }
  const ConfigFile file;
  file.set_mode(0666);
  CHECK(refusal_of([&] { file.parse(); }) ==
        file.path() + ": others than root can write it; chown root: " +
            file.path() + " && chmod go-w " + file.path());
}

TEST_CASE("offers in its help the settings of one run, within 80 columns") {
  const std::string help = help_text();
  for (const char* option :
       {"--repo-dir DIR", "--remote NAME", "--branch NAME", "--state-dir DIR",
        "--build in-place|staged", "--config FILE", "--instance NAME",
        "--wait SECONDS"}) {
    INFO(option);
    CHECK(contains(help, option));
  }
  for (const std::string_view line : split(help, '\n')) {
    INFO(line);
    CHECK(line.size() <= 80);
  }
}

TEST_CASE("names every exit code in its help") {
  const std::string help = help_text();
  for (const int code : {0, exit_failed, exit_usage, exit_locked}) {
    INFO(code);
    CHECK(contains(help, "\n  " + std::to_string(code) + " "));
  }
}

}  // namespace
}  // namespace deployment
