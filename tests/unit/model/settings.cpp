#include "lib/model/settings.hpp"

#include <fstream>

#include "lib/base/error.hpp"
#include "tests/unit/support.hpp"

namespace deployment {
namespace {

using namespace std::chrono_literals;

Config read(std::string_view text) {
  Config config;
  apply_config_file(config, text, "a.conf");
  return config;
}

std::string refusal_of(std::string_view text) {
  const std::string message = message_of<UsageError>([&] { read(text); });
  CHECK_FALSE(contains(message, "\n"));
  return message;
}

constexpr const char* npm_web = "[web]\ntype = npm\nservice = web.service\n";

TEST_CASE("each setting of a file reaches the configuration") {
  const Config config = read(
      "repo-dir = /srv/app/\nremote = upstream\nbranch = release/1\n"
      "state-dir = /var/lib/x\nmetrics = /srv/x.prom\nrun-as = deploy\n"
      "pass-environment = NODE_ENV  _x1\tY\n"
      "new-privileges = true\nbuild = staged\n"
      "on-divergence = reset\nsubmodules = update\nverify-signatures = "
      "true\ngit-timeout = 1\n"
      "install-timeout = 2\nsystemctl-timeout = 3\nsettle = 0\n"
      "health-timeout = 5\ngate = window \"02:00 04:00\"\n"
      "notify = /usr/local/bin/mail ops\nnotify-away = 60\n");
  CHECK(config.repo_dir == "/srv/app");
  CHECK(config.remote == "upstream");
  CHECK(config.branch == "release/1");
  CHECK(config.state_dir == "/var/lib/x");
  CHECK(config.metrics == "/srv/x.prom");
  CHECK(config.run_as == "deploy");
  CHECK(config.pass_environment ==
        std::vector<std::string>{"NODE_ENV", "_x1", "Y"});
  CHECK(config.new_privileges);
  CHECK(config.build == BuildMode::staged);
  CHECK(config.on_divergence == OnDivergence::reset);
  CHECK(config.submodules == Submodules::update);
  CHECK(config.verify_signatures);
  CHECK(config.git_timeout == 1s);
  CHECK(config.install_timeout == 2s);
  CHECK(config.systemctl_timeout == 3s);
  CHECK(config.settle == 0s);
  CHECK(config.health_timeout == 5s);
  CHECK(config.gate == CommandWords{"window", "02:00 04:00"});
  CHECK(config.notify == CommandWords{"/usr/local/bin/mail", "ops"});
  CHECK(config.notify_away == 60s);
  CHECK(config.components == Config::default_components());
}

TEST_CASE("the packaged configuration shows what is so without it") {
  std::ifstream file(PACKAGED_CONFIGURATION);
  std::string settings;
  for (std::string line; std::getline(file, line);) {
    if (line.size() > 1 && line[1] != ' ') {
      REQUIRE(line[0] == '#');
      settings += line.substr(1) + '\n';
    }
  }
  Config config = read(settings);
  CHECK(config.names_components);
  config.names_components = false;
  CHECK(config == Config());
}

TEST_CASE("a component takes its folder and manifest from name and type") {
  CHECK(read("[web]\ntype = npm\nservice = w.service\n"
             "[api]\ntype = python\nservice = a.service\n")
            .components ==
        std::vector<Component>{{.name = "web",
                                .type = Component::Type::npm,
                                .directory = "web",
                                .manifests = {"package.json"},
                                .services = {"w.service"}},
                               {.name = "api",
                                .type = Component::Type::python,
                                .directory = "api",
                                .manifests = {"requirements.txt"},
                                .services = {"a.service"}}});
}

TEST_CASE("a component's own keys are taken, manifests repeatedly") {
  CHECK(read("[api]\ntype = python\ndirectory = src/api\n"
             "manifest = base.txt\nmanifest = ../shared/more.txt\n"
             "service = api@1.service\n"
             "health-check = http://localhost:8000/health\n"
             "health-status = 200-299, 401\n"
             "health-command = ./check --all | grep 'is well'\n"
             "health-timeout = 30\n"
             "build = npm run 'build it'\nbuild = second\n"
             "check = venv/bin/python -c \"import server\"\n"
             "action = reload\npaths = src/api \"shared  files\"\n"
             "paths = ./config/../settings\n"
             "check = \"a b\" 'c'\\ \"d\"\n"
             "release = sh -c 'x \"y  $1\" | \\z' ''\n")
            .components ==
        std::vector<Component>{
            {.name = "api",
             .type = Component::Type::python,
             .directory = "src/api",
             .manifests = {"base.txt", "../shared/more.txt"},
             .services = {"api@1.service"},
             .action = Component::Action::reload,
             .health_check = "http://localhost:8000/health",
             .health_status = {{.first = 200, .last = 299},
                               {.first = 401, .last = 401}},
             .health_command = "./check --all | grep 'is well'",
             .health_timeout = 30s,
             .paths = {"src/api", "shared  files", "settings"},
             .builds = {{"npm", "run", "build it"}, {"second"}},
             .checks = {{"venv/bin/python", "-c", "import server"},
                        {"a b", "c d"}},
             .releases = {{"sh", "-c", "x \"y  $1\" | \\z", ""}}}});
}

TEST_CASE("a generic component says what its type does not") {
  const auto components =
      read(
          "[web]\ntype = generic\nmanifest = pnpm-lock.yaml\n"
          "manifest = package.json\ninstall = corepack enable\n"
          "install = pnpm install --filter 'a b'\n"
          "environment = node_modules/\n[api]\ntype = npm\n"
          "install = npm ci --omit=dev\n")
          .components;
  CHECK(components[0].manifests ==
        std::vector<std::filesystem::path>{"pnpm-lock.yaml", "package.json"});
  CHECK(components[0].installs ==
        std::vector<CommandWords>{{"corepack", "enable"},
                                  {"pnpm", "install", "--filter", "a b"}});
  CHECK(environment_of(components[0]) == "node_modules");
  CHECK(configured_as(components[0]) ==
        "generic web [pnpm-lock.yaml, package.json -> node_modules: corepack "
        "enable; pnpm install --filter 'a b'] no service");
  CHECK(environment_of(components[1]) == "node_modules");
  CHECK(configured_as(components[1]) ==
        "npm api [package.json: npm ci --omit=dev] no service");
}

TEST_CASE("environments may be beside each other, and in parts of a path") {
  const std::string generic =
      "type = generic\nmanifest = x\ninstall = y\ndirectory = a\n";
  CHECK(read("[a]\n" + generic + "environment = vendor\n[b]\n" + generic +
             "environment = vendored/x\n[c]\n" + generic +
             "environment = vendor.d\n")
            .components.size() == 3);
}

TEST_CASE("a health check may be asked over https") {
  const std::string url = "https://localhost/health";
  CHECK(read(npm_web + ("health-check = " + url)).components[0].health_check ==
        url);
}

TEST_CASE("a component may have several services, or none") {
  const auto components =
      read(
          "[a]\ntype = npm\n[b]\ntype = npm\nservice = x.service\n"
          "service = y.service\n")
          .components;
  CHECK(components[0].services.empty());
  CHECK(components[1].services ==
        std::vector<std::string>{"x.service", "y.service"});
  CHECK(configured_as(components[0]) == "npm a [package.json] no service");
  CHECK(configured_as(components[1]) ==
        "npm b [package.json] x.service, y.service");
}

TEST_CASE("files to copy may be named in several lines") {
  CHECK(read("copy = *.pem\ncopy = seed/**/*.sql 'a b'\n").copy ==
        std::vector<std::string>{"*.pem", "seed/**/*.sql", "a b"});
}

TEST_CASE("variables to pass may be named in several lines") {
  CHECK(read("pass-environment = A B\nbranch = x\npass-environment = C\n")
            .pass_environment == std::vector<std::string>{"A", "B", "C"});
  CHECK(Config().pass_environment.empty());
}

TEST_CASE("there may be any number of components, in the file's order") {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "part-" + std::to_string(i);
    text += "[" + name + "]\ntype = npm\nservice = " + name + ".service\n";
  }
  const std::vector<Component> components = read(text).components;
  REQUIRE(components.size() == 200);
  CHECK(components.front().name == "part-0");
  CHECK(components.back().name == "part-199");
}

TEST_CASE("what is not allowed is refused in one line that says what is") {
  struct Case {
    std::string text;
    std::string message;
  };
  const std::string web = npm_web;
  const std::string takes_path =
      "is not allowed; it takes a path inside the checkout, relative to it";
  const std::string takes_service =
      "is not allowed; it takes the name of a systemd service, NAME.service";
  const std::string takes_names =
      "it takes names of variables, with blanks between them";
  const std::string takes_command =
      "it takes a program and its arguments, with all quotes closed; what "
      "takes a shell is sh -c '...'";
  const std::string takes_paths =
      "it takes paths inside the checkout, relative to it, with blanks between "
      "them";
  const Case cases[] = {
      {"copy = ../x\n",
       "a.conf: copy = '../x' is not allowed; it takes names of files beside "
       "manifests, or paths inside the checkout, with blanks between them; * "
       "stands for any part of a name"},
      {"brnch = prod\n",
       "a.conf: unknown key 'brnch'; allowed: branch, build, copy, gate, "
       "git-timeout, health-timeout, install-timeout, metrics, "
       "new-privileges, notify, "
       "notify-away, on-divergence, "
       "pass-environment, remote, repo-dir, run-as, settle, state-dir, "
       "submodules, systemctl-timeout, verify-signatures"},
      {web + "servce = x.service\n",
       "a.conf: [web]: unknown key 'servce'; allowed: action, build, check, "
       "directory, environment, health-check, health-command, health-status, "
       "health-timeout, install, manifest, paths, release, service, type"},
      {"[web]\ntype = cargo\n",
       "a.conf: [web]: type = 'cargo' is not allowed; it takes generic or npm "
       "or python"},
      {"[web]\ntype =\n",
       "a.conf: [web]: type has no value; it takes generic or npm or python"},
      {"branch =\n",
       "a.conf: branch has no value; it takes a name that git accepts for a "
       "branch"},
      {"repo-dir =\n", "a.conf: repo-dir has no value; it takes a folder"},
      {"run-as =\n",
       "a.conf: run-as has no value; it takes the name of a user"},
      {"pass-environment =\n",
       "a.conf: pass-environment has no value; " + takes_names},
      {"pass-environment = A 1B\n",
       "a.conf: pass-environment = 'A 1B' is not allowed; " + takes_names},
      {"pass-environment = A=b\n",
       "a.conf: pass-environment = 'A=b' is not allowed; " + takes_names},
      {"pass-environment = A, B\n",
       "a.conf: pass-environment = 'A, B' is not allowed; " + takes_names},
      {"pass-environment = npm_config_*\n",
       "a.conf: pass-environment = 'npm_config_*' is not allowed; " +
           takes_names},
      {"pass-environment = A\x1b[2J\n",
       "a.conf: pass-environment = 'A\\x1b[2J' is not allowed; " + takes_names},
      {"pass-environment = $A\xC3\xA4\n",
       "a.conf: pass-environment = '$A\xC3\xA4' is not allowed; " +
           takes_names},
      {web + "pass-environment = A\n",
       "a.conf: [web]: unknown key 'pass-environment'; allowed: action, "
       "build, check, directory, environment, health-check, health-command, "
       "health-status, "
       "health-timeout, install, manifest, paths, release, service, type"},
      {web + "action = start\n",
       "a.conf: [web]: action = 'start' is not allowed; it takes reload or "
       "restart"},
      {web + "paths = ../x\n",
       "a.conf: [web]: paths = '../x' is not allowed; " + takes_paths},
      {web + "paths = web 'x\n",
       "a.conf: [web]: paths = 'web 'x' is not allowed; " + takes_paths},
      {web + "paths =\n", "a.conf: [web]: paths has no value; " + takes_paths},
      {web + "check =\n",
       "a.conf: [web]: check has no value; " + takes_command},
      {web + "check = 'a\n",
       "a.conf: [web]: check = ''a' is not allowed; " + takes_command},
      {web + "check = a \"b # c\"\n",
       "a.conf: [web]: check = 'a \"b' is not allowed; " + takes_command},
      {web + "check = a \\\n",
       "a.conf: [web]: check = 'a \\' is not allowed; " + takes_command},
      {web + "check = a && b\n",
       "a.conf: [web]: check = 'a && b' is not allowed; " + takes_command},
      {web + "release = \"\" \"\"\n",
       "a.conf: [web]: release = '\"\" \"\"' is not allowed; " + takes_command},
      {web + "release = 'migrate all'\n",
       "a.conf: [web]: the value of release is in quotes: 'migrate all'; "
       "write it without them"},
      {"gate = a || b\n",
       "a.conf: gate = 'a || b' is not allowed; " + takes_command},
      {"notify =\n", "a.conf: notify has no value; " + takes_command},
      {"check = a\n",
       "a.conf: unknown key 'check'; allowed: branch, build, copy, gate, "
       "git-timeout, health-timeout, install-timeout, metrics, "
       "new-privileges, notify, "
       "notify-away, on-divergence, "
       "pass-environment, remote, repo-dir, run-as, settle, state-dir, "
       "submodules, systemctl-timeout, verify-signatures"},
      {"[web]\ndirectory =\n",
       "a.conf: [web]: directory has no value; it takes a path inside the "
       "checkout, relative to it"},
      {"[web]\nservice =\n",
       "a.conf: [web]: service has no value; it takes the name of a systemd "
       "service, NAME.service"},
      {web + "service = web.service\n",
       "a.conf: [web]: service = 'web.service' is not allowed; it takes each "
       "service once"},
      {"[web]\ntype = npm\nhealth-check = http://a/\n",
       "a.conf: component web has health-check and no service, which it is "
       "about"},
      {"[web]\ntype = npm\naction = reload\n",
       "a.conf: component web has action and no service, which it is about"},
      {"copy = a ./\n",
       "a.conf: copy = 'a ./' is not allowed; it takes names of files beside "
       "manifests, or paths inside the checkout, with blanks between them; * "
       "stands for any part of a name"},
      {web + "directory = x\n[b]\ntype = npm\ndirectory = x/\n",
       "a.conf: [web] and [b] have the same node_modules in x; one component "
       "may have several services: repeat service ="},
      {"[web]\ntype = generic\ninstall = x\nenvironment = y\n",
       "a.conf: component web has no manifest, which type = generic needs"},
      {"[web]\ntype = generic\nmanifest = x\nenvironment = y\n",
       "a.conf: component web has no install, which type = generic needs"},
      {"[web]\ntype = generic\nmanifest = x\ninstall = y\n",
       "a.conf: component web has no environment, which type = generic needs"},
      {"[web]\ntype = python\nenvironment = .venv\n",
       "a.conf: component web has an environment, which is venv with type = "
       "python; another one takes type = generic"},
      {"[web]\ntype = npm\n[b]\ntype = generic\ndirectory = .\n"
       "environment = web/node_modules/x\nmanifest = x\ninstall = y\n",
       "a.conf: the environment web/node_modules/x/ of [b] is in "
       "web/node_modules/, that of [web]"},
      {"[web]\ntype = npm\n[b]\ntype = generic\ndirectory = .\n"
       "environment = web/node_modules\nmanifest = x\ninstall = y\n",
       "a.conf: [web] and [b] have the same node_modules in web; one component "
       "may have several services: repeat service ="},
      {"[web]\nservice = w.service\n",
       "a.conf: component web has no type; it takes generic or npm or python"},
      {"branch = a..b\n",
       "a.conf: branch = 'a..b' is not allowed; it takes a name that git "
       "accepts for a branch"},
      {"branch = --upload-pack=x\n",
       "a.conf: branch = '--upload-pack=x' is not allowed; it takes a name "
       "that git accepts for a branch"},
      {"remote = --all\n",
       "a.conf: remote = '--all' is not allowed; it takes a name that git "
       "accepts for a remote"},
      {web + "directory = ../out\n",
       "a.conf: [web]: directory = '../out' " + takes_path},
      {web + "directory = in/../../out\n",
       "a.conf: [web]: directory = 'in/../../out' " + takes_path},
      {web + "directory = /etc\n",
       "a.conf: [web]: directory = '/etc' " + takes_path},
      {web + "manifest = ../../package.json\n",
       "a.conf: [web]: manifest = '../../package.json' is not allowed; it "
       "takes a path inside the checkout"},
      {web + "manifest = /etc/passwd\n",
       "a.conf: [web]: manifest = '/etc/passwd' is not allowed; it takes a "
       "path relative to the component's directory"},
      {"[web]\nservice = web\n",
       "a.conf: [web]: service = 'web' " + takes_service},
      {"[web]\nservice = --force.service\n",
       "a.conf: [web]: service = '--force.service' " + takes_service},
      {"[web]\nservice = a b.service\n",
       "a.conf: [web]: service = 'a b.service' " + takes_service},
      {"[web]\nhealth-check = ftp://x\n",
       "a.conf: [web]: health-check = 'ftp://x' is not allowed; it takes an "
       "address http[s]://HOST[:PORT]/PATH"},
      {"[web]\nhealth-check = https://\n",
       "a.conf: [web]: health-check = 'https://' is not allowed; it takes an "
       "address http[s]://HOST[:PORT]/PATH"},
      {"[web]\nhealth-status = 2xx\n",
       "a.conf: [web]: health-status = '2xx' is not allowed; it takes statuses "
       "of HTTP, as in 200-299, 401"},
      {web + "health-status = 200\n",
       "a.conf: component web has a health-status and no health-check, whose "
       "answer it is about"},
      {"[web]\nhealth-command =\n",
       "a.conf: [web]: health-command has no value; it takes a command"},
      {"[web]\nhealth-timeout = 0\n",
       "a.conf: [web]: health-timeout = '0' is not allowed; it takes a whole "
       "number of seconds, 1 to 86400"},
      {"settle = -1\n",
       "a.conf: settle = '-1' is not allowed; it takes a whole number of "
       "seconds, 0 to 86400"},
      {"git-timeout = 0\n",
       "a.conf: git-timeout = '0' is not allowed; it takes a whole number of "
       "seconds, 1 to 86400"},
      {"git-timeout = 5m\n",
       "a.conf: git-timeout = '5m' is not allowed; it takes a whole number of "
       "seconds, 0 to 86400"},
      {"build = fast\n",
       "a.conf: build = 'fast' is not allowed; it takes in-place or staged"},
      {"on-divergence = merge\n",
       "a.conf: on-divergence = 'merge' is not allowed; it takes fail or "
       "reset"},
      {"submodules = yes\n",
       "a.conf: submodules = 'yes' is not allowed; it takes refuse or update"},
      {"verify-signatures = yes\n",
       "a.conf: verify-signatures = 'yes' is not allowed; it takes false or "
       "true"},
      {"branch = a\nbranch = b\n", "a.conf: branch is given twice"},
      {web + "type = npm\n", "a.conf: [web]: type is given twice"},
      {"[we b]\ntype = npm\n",
       "a.conf: component name 'we b' is not allowed; it takes letters, "
       "digits, - and _"},
      {"branch = \x1b[2J\n",
       "a.conf: branch = '\\x1b[2J' is not allowed; it takes a name that git "
       "accepts for a branch"},
      {"[\x1b[2J]\ntype = npm\n",
       "a.conf: component name '\\x1b[2J' is not allowed; it takes letters, "
       "digits, - and _"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(refusal_of(c.text) == c.message);
  }
}

TEST_CASE("an environment is in the component's folder") {
  for (const char* value : {".", "./", "..", "../x", "a/../..", "/x", "x/..",
                            ".git", ".git/x", "x/.git", "./.git"}) {
    CHECK(refusal_of(std::string("[web]\nenvironment = ") + value) ==
          std::string("a.conf: [web]: environment = '") + value +
              "' is not allowed; it takes a folder in that of the component, "
              "as node_modules or .venv");
  }
}

TEST_CASE("a value in quotes is refused by name") {
  for (const char* value : {"\"prod\"", "'prod'"}) {
    Config config;
    CHECK(message_of<UsageError>([&] {
            apply_config_file(config, std::string("branch = ") + value, "f");
          }) == std::string("f: the value of branch is in quotes: ") + value +
                    "; write it without them");
  }
}

TEST_CASE("a refused file leaves the components as they were") {
  Config config;
  CHECK_THROWS_AS(
      apply_config_file(config, "[web]\nservice = w.service\n", "a.conf"),
      UsageError);
  CHECK(config.components == Config::default_components());
}

TEST_CASE("a value from the command line is refused in the same words") {
  Config config;
  CHECK(message_of<UsageError>(
            [&] { set(config, "branch", "a b", "command line"); }) ==
        "command line: branch = 'a b' is not allowed; it takes a name that "
        "git accepts for a branch");
}

TEST_CASE("a relative folder counts from the working directory") {
  Config config;
  set(config, "repo-dir", "some/../app", "command line");
  CHECK(config.repo_dir == std::filesystem::current_path() / "app");
}

}  // namespace
}  // namespace deployment
