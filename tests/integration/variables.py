"""Which variables commands get: those of a list, whoever starts the run."""

import os
import pwd
import unittest

from support import NOBODY, needs_root, needs_staging
from support.world import CONFIG, World

# A program that begins so shows the variables that it was started with.
SHOWS = """#!/bin/sh
cat /proc/$$/environ >>'{folder}'/"${{0##*/}}"
"""

CONFIG_WITH_HEALTH_CHECK = CONFIG + """
[frontend]
type = npm
service = frontend-deployment.service
health-check = http://localhost:1/

[backend]
type = python
service = backend-deployment.service
"""

SECRETS = {"AWS_SECRET_ACCESS_KEY": "secret", "GITHUB_TOKEN": "secret",
           "NPM_TOKEN": "secret", "NODE_OPTIONS": "--no-warnings",
           "NOTIFY_SOCKET": "/nowhere"}

SESSION = {"SSH_AUTH_SOCK": "/nowhere/agent",
           "GIT_SSH_COMMAND": "ssh -F none",
           "GNUPGHOME": "/nowhere/gnupg",
           "XDG_CACHE_HOME": "/nowhere/cache",
           "npm_config_cache": "/nowhere/npm",
           "PIP_INDEX_URL": "http://localhost:1/simple"}

COMMON = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo",
          "https_proxy": "http://localhost:1/", "NO_PROXY": "localhost"}

# By which the next run finds what a killed one left.
MARK = "DEPLOYMENT_UPDATE_CHECKOUT"
PERSON = {"HOME", "USER", "LOGNAME", "SHELL"}

HOOK = "post-merge"
OF_THE_CHECKOUT = ("npm", "python3", "pip", "curl", HOOK)
ALL = OF_THE_CHECKOUT + ("systemctl",)


class Cases:
    becomes: tuple[str, ...] = ()  # words before the command

    def setUp(self):
        world = self.world = self.enterContext(World())
        world.trust_every_owner()  # for what the tests themselves ask git
        world.config(CONFIG_WITH_HEALTH_CHECK)
        self.shown = world.root / "shown"
        temporary = world.root / "tmp"
        for folder in (self.shown, temporary):
            folder.mkdir()
            folder.chmod(0o777)
        self.common = COMMON | {"TMPDIR": str(temporary),
                                "PATH": str(world.bin)}
        world.environment |= SECRETS | SESSION | self.common | {
            "USER": "caller", "LOGNAME": "caller", "SHELL": "/bin/caller"}
        shows = SHOWS.format(folder=self.shown)
        for name in ("npm", "pip", "python3", "systemctl"):
            world.stand_in(name, world.stand_in_text(name).replace(
                "#!/bin/sh\n", shows))
        world.stand_in("curl", shows + "printf 200\n")
        hook = world.checkout / ".git/hooks" / HOOK
        hook.write_text(shows)
        hook.chmod(0o755)
        self.prepare()
        self.commit = world.push_version(2)

    def prepare(self):
        pass

    def deploy(self, environment=None):
        run = self.world.run_program(
            [*self.becomes, *self.world.arguments()], environment)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), self.commit)

    def variables(self, program):
        """Returns all variables that calls of a program were started with."""
        text = (self.shown / program).read_text()
        return dict(entry.split("=", 1) for entry in text.split("\0") if entry)

    def assert_has(self, program, expected):
        variables = self.variables(program)
        self.assertEqual({name: variables.get(name) for name in expected},
                         expected)

    def test_no_secret_of_the_caller_reaches_a_command(self):
        self.deploy()
        for program in ALL:
            with self.subTest(program):
                self.assertEqual(SECRETS.keys() & self.variables(program),
                                 set())

    def test_locale_time_zone_temporary_folder_and_proxies_do(self):
        self.deploy()
        for program in ALL:
            with self.subTest(program):
                expected = self.common.copy()
                if program == HOOK:  # git sets these two
                    expected["LC_ALL"] = "C"
                    del expected["PATH"]
                if program == "pip":
                    del expected["PATH"]  # of the environment
                self.assert_has(program, expected)

    def test_systemctl_gets_no_more_than_these(self):
        self.world.config("pass-environment = GITHUB_TOKEN\n"
                          + CONFIG_WITH_HEALTH_CHECK)
        self.deploy()
        self.assertEqual(self.variables("systemctl"), self.common)

    def test_what_the_configuration_names_reaches_the_others(self):
        self.world.config("pass-environment = NODE_OPTIONS NOT_SET\n"
                          "pass-environment = GITHUB_TOKEN\n"
                          + CONFIG_WITH_HEALTH_CHECK)
        self.deploy()
        for program in OF_THE_CHECKOUT:
            with self.subTest(program):
                variables = self.variables(program)
                self.assertEqual(
                    {name: variables[name]
                     for name in SECRETS.keys() & variables},
                    {name: SECRETS[name]
                     for name in ("NODE_OPTIONS", "GITHUB_TOKEN")})
                self.assertNotIn("NOT_SET", variables)

    def test_a_repository_is_never_named_by_the_caller(self):
        names = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
        self.world.config(f"pass-environment = {' '.join(names)} {MARK}\n"
                          + CONFIG_WITH_HEALTH_CHECK)
        self.deploy(dict.fromkeys(names + (MARK,), "/nowhere"))
        for program in ("npm", "python3", "pip", "curl"):
            with self.subTest(program):
                variables = self.variables(program)
                self.assertEqual(variables.keys() & set(names), set())
                self.assertEqual(variables[MARK], str(self.world.checkout))


class OfWhoStartsIt(Cases, unittest.TestCase):
    """In a checkout of the user who starts the run."""

    def test_the_session_is_kept(self):
        self.deploy()
        for program in OF_THE_CHECKOUT:
            with self.subTest(program):
                self.assert_has(program, SESSION)
        self.assert_has("npm", {
            name: self.world.environment[name] for name in PERSON})


@needs_root
class OfTheOwner(OfWhoStartsIt):
    """Another user than root starts the run in his checkout."""

    becomes = ("/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
               "--clear-groups")

    def prepare(self):
        world = self.world
        world.in_place = True  # he may make no mount namespace
        world.give_to(NOBODY)
        world.state.mkdir()
        for folder in (world.state, world.services):
            os.chown(folder, NOBODY, NOBODY)


@needs_staging
class OfAnotherUser(Cases, unittest.TestCase):
    """Root starts the run in the checkout of a user."""

    def prepare(self):
        self.world.give_to(NOBODY)

    def test_the_session_of_root_stays_here(self):
        self.deploy()
        for program in OF_THE_CHECKOUT:
            with self.subTest(program):
                self.assertEqual(SESSION.keys() & self.variables(program),
                                 set())

    def test_the_user_gets_his_own_and_nothing_else(self):
        self.deploy()
        user = pwd.getpwuid(NOBODY)
        person = {"HOME": user.pw_dir, "USER": user.pw_name,
                  "LOGNAME": user.pw_name, "SHELL": user.pw_shell}
        everything = self.common | person | {MARK: str(self.world.checkout)}
        for program in ("npm", "python3", "curl"):
            with self.subTest(program):
                self.assertEqual(self.variables(program), everything)
