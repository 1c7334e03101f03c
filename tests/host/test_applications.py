"""An application of several components on a booted host, with the real npm.

It has two workspaces of one root, a component with an installer of its own,
and all the steps that applications have."""

import json

from host.test_host import Group
from support import require
from support.host import IDENTITY, UNIT, until

CHECKOUT = "/home/ubuntu/mall"
AUTHOR = "/root/author-of-mall"
DATA = "/home/ubuntu/data"
CONFIGURATION = f"""\
repo-dir = {CHECKOUT}
settle = 1
health-timeout = 5

[web]
type = npm
directory = apps/web
build = npm run --silent build
paths = apps/web libraries

[api]
type = npm
directory = apps/api
service = api.service
service = worker.service
paths = apps/api libraries
action = reload
check = node -e "require('./handler.js')"
release = sh -c 'test ! -e refuse && cat version >>{DATA}/released'

[kit]
type = generic
service = kit.service
paths = kit
manifest = parts
install = sh make-kit
environment = tools
build = sh -c 'sort parts >sorted'
"""
SERVICE = f"""\
[Unit]
Description=%p of the mall

[Service]
User=ubuntu
WorkingDirectory={CHECKOUT}/%s
ExecStart=%s
ExecReload=/bin/kill -HUP $MAINPID
Restart=always

[Install]
WantedBy=multi-user.target
"""
SERVICES = {
    "api": ("apps/api", "/usr/bin/node server.js 9001"),
    "worker": ("apps/api", "/usr/bin/node server.js 9002"),
    "kit": ("kit", "/bin/sh tools/serve"),
}
# Takes up new code of handler.js, and of the library, without a restart.
SERVER = """\
const { handle } = require('./handler.js');
let answer = handle;
process.on('SIGHUP', () => {
  for (const name in require.cache) delete require.cache[name];
  answer = require('./handler.js').handle;
});
require('http').createServer((request, response) => response.end(answer()))
    .listen(Number(process.argv[2]));
"""
HANDLER = """\
const words = require('words');
exports.handle = () => `api %s, ${words}`;
"""
BUILD = """\
const fs = require('fs');
fs.mkdirSync('dist');
fs.writeFileSync('dist/index.html', `web %s, ${require('words')}\\n`);
"""
MAKE_KIT = """\
mkdir -p tools
echo 'echo "kit %s" >page; exec python3 -m http.server 9003' >tools/serve
"""


def package(**more):
    return json.dumps({"version": "1.0.0"} | more) + "\n"


FILES = {
    ".gitignore": "node_modules/\ndist/\nkit/tools/\nkit/sorted\nkit/page\n",
    "package.json": package(name="mall", workspaces=["apps/*", "libraries/*"]),
    "libraries/words/package.json": package(name="words", main="words.js"),
    "libraries/words/words.js": "module.exports = 'words 1';\n",
    "apps/web/package.json": package(
        name="web", scripts={"build": "node build.js"},
        dependencies={"words": "*"}),
    "apps/web/build.js": BUILD % 1,
    "apps/api/package.json": package(name="api", dependencies={"words": "*"}),
    "apps/api/server.js": SERVER,
    "apps/api/handler.js": HANDLER % 1,
    "apps/api/version": "1\n",
    "kit/parts": "b\na\n",
    "kit/make-kit": MAKE_KIT % 1,
}


class Applications(Group):
    @classmethod
    def set_up(cls):
        host = cls.host
        host.run("systemctl", "enable", "--now", "origin.service")
        host.run("git", "init", "-q", "--bare", "-b", "prod",
                 "/srv/git/mall.git")
        host.run("git", "clone", "-q", "/srv/git/mall.git", AUTHOR)
        host.run("git", "-C", AUTHOR, "checkout", "-q", "-b", "prod")
        host.run("mkdir", DATA, user="ubuntu")
        cls.push("The mall", FILES)
        host.run("git", "clone", "-q", "-b", "prod",
                 "git://127.0.0.1/mall.git", CHECKOUT, user="ubuntu")
        for name, (folder, command) in SERVICES.items():
            host.write(f"/etc/systemd/system/{name}.service",
                       SERVICE.replace("%s", folder, 1).replace(
                           "%s", command, 1))
        host.write("/etc/deployment-update/mall.conf", CONFIGURATION)
        host.install(cls.stage, "--instance", "mall")
        host.run("systemctl", "stop", f"{UNIT}@mall.timer")
        cls.first_served = cls.served()
        cls.first_page = cls.page()

    @classmethod
    def push(cls, subject, files):
        for path, text in files.items():
            if text is None:
                cls.host.run("rm", f"{AUTHOR}/{path}")
            else:
                cls.host.write(f"{AUTHOR}/{path}", text)
        git = ["git", "-C", AUTHOR, *IDENTITY]
        cls.host.run(*git, "add", "-A")
        cls.host.run(*git, "commit", "-q", "-m", subject)
        cls.host.run(*git, "push", "-q", "origin", "prod")
        return cls.host.run(*git, "rev-parse", "HEAD").stdout.strip()

    def deploy(self, promised, *options):
        """Runs the program as a person would; returns what it says."""
        ran = self.host.run(UNIT, "--instance", "mall", "--wait", "60",
                            *options, check=False)
        require(ran.returncode == promised, ran.stdout + ran.stderr)
        return ran.stderr

    def head(self):
        return self.host.run("git", "-C", CHECKOUT, "rev-parse", "HEAD",
                             user="ubuntu").stdout.strip()

    @classmethod
    def read(cls, path):
        file = cls.host.outside(f"{CHECKOUT}/{path}")
        return file.read_text() if file.exists() else None

    def released(self):
        return self.host.outside(f"{DATA}/released").read_text().split()

    def invocations(self):
        return {name: self.host.show(f"{name}.service", "InvocationID")
                for name in SERVICES}

    def state(self):
        """All that a push could have changed."""
        return (self.head(), self.invocations(), self.read("kit/sorted"),
                self.page(), self.host.shell(
                    f"cd {CHECKOUT}; find node_modules -mindepth 1 "
                    "! -name .deployment-update -printf "
                    "'%P %i %s %T@\\n' | sort"))

    def wait_for(self, **served):
        for name, text in served.items():
            until(f"{name} to serve '{text}'",
                  lambda: self.served()[name] == text, 30)

    @classmethod
    def served(cls):
        return {name: cls.host.fetch(port, path).strip()
                for name, port, path in (("api", 9001, "/"),
                                         ("worker", 9002, "/"),
                                         ("kit", 9003, "/page"))}

    @classmethod
    def page(cls):
        return cls.read("apps/web/dist/index.html")

    def assert_settled(self):
        ran = self.host.run(UNIT, "--instance", "mall", "--wait", "60")
        require(ran.stdout == "No changes detected in the repository.\n",
                ran.stdout + ran.stderr)
        status = self.host.run("git", "-C", CHECKOUT, "status", "--porcelain",
                               user="ubuntu").stdout
        require(status == "", status)

    def test_a_first_deployment(self):
        require(self.first_served == {
            "api": "api 1, words 1", "worker": "api 1, words 1",
            "kit": "kit 1"}, self.first_served)
        require(self.first_page == "web 1, words 1\n", self.first_page)
        require(self.released()[0] == "1", self.released())
        self.assert_settled()

    def test_a_push_of_one_component_reloads_it(self):
        before = self.invocations()
        self.push("Handle more", {"apps/api/handler.js": HANDLER % 2,
                                  "apps/api/version": "2\n"})
        said = self.deploy(0)
        words = self.page().split()[-1]
        self.wait_for(api=f"api 2, words {words}",
                      worker=f"api 2, words {words}")
        require(before == self.invocations(), said)
        require(self.released()[-1] == "2", self.released())
        self.assert_settled()

    def test_a_push_of_a_library_builds_what_is_made_of_it(self):
        self.push("Other words", {
            "libraries/words/words.js": "module.exports = 'words 3';\n"})
        self.deploy(0)
        until("the api to have it", lambda: self.served()["api"].endswith(
            "words 3"), 30)
        require(self.page().endswith(", words 3\n"), self.page())
        self.assert_settled()

    def test_bad_pushes_move_nothing(self):
        before = self.state()
        released = self.released()
        bad = {
            "building web failed": {
                "apps/web/build.js": "throw new Error('no');\n"},
            "checking api failed": {
                "apps/api/handler.js": "throw new Error('no');\n"},
            "releasing api failed": {"apps/api/refuse": "yes\n"},
            "installing kit failed": {"kit/make-kit": "exit 3\n",
                                      "kit/parts": "c\n"},
        }
        for why, files in bad.items():
            mend = {path: self.read(path) for path in files}
            self.push(f"Bad: {why}", files)
            said = self.deploy(1, "--force")
            require(why in said, said)
            require(self.state() == before, f"{why}: something moved")
            self.push("Mend it", mend)
        require(self.released() == released, self.released())
        self.deploy(0)
        self.assert_settled()

    def push_all(self, version, server=SERVER):
        """A push after which each environment and output is another one."""
        return self.push(f"All of {version}", {
            "apps/api/server.js": server,
            "apps/api/package.json": package(
                name="api", dependencies={"words": "*"}, description=version),
            "apps/web/build.js": BUILD % version,
            "kit/make-kit": MAKE_KIT % version,
            "kit/parts": f"part\n{version}\n"})

    def assert_all_of(self, version):
        self.wait_for(kit=f"kit {version}")
        require(self.page().startswith(f"web {version},"), self.page())
        require(self.read("kit/sorted").split() == sorted(["part", version]),
                self.read("kit/sorted"))
        require(self.served()["api"], "the api is down")

    def require_as(self, before, served):
        after = self.state()
        require(after[0] == before[0] and after[2:] == before[2:],
                "something is not as it was")
        self.wait_for(**served)

    def test_a_service_that_dies_takes_all_back(self):
        before, served = self.state(), self.served()
        bad = self.push_all("dies", "setTimeout(process.exit, 100, 1);\n")
        said = self.deploy(1)
        require(f"{bad[:12]} is quarantined" in said, said)
        self.require_as(before, served)
        self.push_all("mended")
        self.deploy(0)
        self.assert_all_of("mended")

    def test_a_rollback_by_hand(self):
        before, served = self.state(), self.served()
        self.push_all("good")
        self.deploy(0)
        self.assert_all_of("good")
        self.deploy(0, "--rollback")
        self.require_as(before, served)

    def test_a_push_that_reverts_builds_nothing(self):
        self.push_all("one")
        self.deploy(0)
        self.push_all("two")
        self.deploy(0)
        self.assert_all_of("two")
        self.push_all("one")
        said = self.deploy(0)
        require("| " not in said, said)  # no installer said anything
        self.assert_all_of("one")
        self.assert_settled()

    def test_a_run_that_is_killed_is_made_whole_by_the_next(self):
        """Each is killed when it says that it begins a step."""
        for step, line in (("exchanged", "kit: put the new tools"),
                           ("restarted", "kit: restart kit.service"),
                           ("verified", "verify that the restarted")):
            self.push_all(step)
            self.host.shell(
                f"coproc RUN {{ exec {UNIT} --instance mall --wait 60 2>&1; }}"
                '\npid=$RUN_PID\nwhile read -r line; do\n'
                f'  case $line in "{line}"*) kill -KILL "$pid" ;; esac\n'
                'done <&"${RUN[0]}"')
            require(self.deploy(0), "it was not killed")
            self.assert_all_of(step)
            self.assert_settled()
