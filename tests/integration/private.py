"""Private repositories as docs/private-repositories.md has them: a deploy key
over ssh, a token over https. Each part of it is taken away, and --check names
what is missing."""

import base64
import http.server
import os
import shutil
import ssl
import subprocess
import threading
import unittest

from integration.check import Host, paste
from support import needs_root
from support.servers import SshServer
from support.units_of_a_host import SERVICE
from support.users import OWNER, become, give_to

TOKEN = "secret-token"


class PrivateHost(Host):
    """A host whose origin belongs to the server."""

    def __init__(self):
        super().__init__()
        give_to(0, self.origin)
        self.server_folder = self.root / "server"
        self.client = self.root / "client"  # what the owner keeps in his home
        self.client.mkdir(0o700)
        for tool in ("ssh", "ssh-keygen", "ssh-keyscan"):
            self.link_tool(tool)

    def set_git(self, *arguments):
        self.as_owner(self.checkout, "config", *arguments)

    def close_client(self):
        give_to(OWNER, self.client)


class Obstacles(unittest.TestCase):
    world: PrivateHost

    def check(self, *more, **options):
        run, found = self.world.check(*more, **options)
        self.assertEqual(run.stderr, "")
        self.assertNotIn(TOKEN, run.stdout)
        return found["obstacles"]

    def require_obstacle(self, what, **options):
        """Returns its remedy."""
        obstacles = self.check(**options)
        self.assertEqual(len(obstacles), 1, obstacles)
        self.assertIn(what, obstacles[0]["what"])
        return obstacles[0]["remedy"]

    def require_none(self, said=""):
        self.assertEqual(self.check(), [], said)

    def require_mended(self, what):
        said = paste(self.world, self.require_obstacle(what))
        self.require_none(said)

    def require_deployment(self):
        tip = self.world.push("More", {"README": os.urandom(4).hex()})
        self.world.update_server()
        run = self.world.run()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.world.commit(), tip)


class SshHost(PrivateHost):
    """Its owner has a deploy key and the server's pinned host key."""

    def __init__(self):
        super().__init__()
        self.server = SshServer(self.server_folder)
        self.key = self.client / "id_ed25519"
        self.known = self.client / "known_hosts"
        for name, path in (("user", self.key), ("known", self.known)):
            shutil.copy(self.server.folder / name, path)
        shutil.copy(self.server.folder / "user.pub",
                    self.key.with_suffix(".pub"))
        (self.client / "config").write_text(f"""
Host server
  HostName 127.0.0.1
  Port {self.server.port}
  User root
  IdentityFile {self.key}
  UserKnownHostsFile {self.known}
  GlobalKnownHostsFile /dev/null
""")
        self.close_client()
        self.set_git("core.sshCommand", f"ssh -F {self.client}/config")
        self.set_git("remote.origin.url", f"ssh://server{self.origin}")

    def update_server(self):
        pass

    def accept(self, key):
        (self.server.folder / "user.pub").write_text(key)


@needs_root
class DeployKey(Obstacles):
    def setUp(self):
        self.world = self.enterContext(SshHost())
        self.enterContext(self.world.server)

    def test_what_the_page_says_works(self):
        self.require_none()
        self.require_deployment()

    def test_host_key_is_not_known(self):
        self.world.known.unlink()
        self.require_mended(
            f"ssh does not know the key of [127.0.0.1]:"
            f"{self.world.server.port}")
        self.assertEqual(self.world.known.stat().st_uid, OWNER)

    def test_key_of_another_user(self):
        os.chown(self.world.key, 0, 0)
        said = paste(self.world, self.require_obstacle(
            f"nobody cannot read the key {self.world.key}"))
        self.assertIn(" root root ", said)
        os.chown(self.world.key, OWNER, OWNER)
        self.require_none(said)

    def test_key_that_others_can_read(self):
        self.world.key.chmod(0o644)
        self.require_mended("ssh does not use the key")

    def test_key_is_missing(self):
        self.world.key.unlink()
        self.world.key.with_suffix(".pub").unlink()
        said = paste(self.world, self.require_obstacle("there is no key for"))
        remedy = self.require_obstacle("accepts none of the keys")
        self.world.accept(paste(self.world, remedy).partition(": ")[2])
        self.require_none(said)
        self.require_deployment()

    def test_key_with_a_passphrase(self):
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "words",
                        "-f", self.world.key], check=True,
                       stdout=subprocess.DEVNULL)
        self.world.close_client()
        self.require_obstacle("has a passphrase, which nobody enters")

    def test_agent_of_a_person_does_not_count(self):
        world = self.world
        agent = subprocess.Popen(
            [*become(OWNER), "ssh-agent", "-D", "-a", world.client / "agent"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.stdout.close)
        self.addCleanup(agent.kill)
        agent.stdout.readline()  # it listens
        world.environment["SSH_AUTH_SOCK"] = str(world.client / "agent")
        subprocess.run([*become(OWNER), shutil.which("ssh-add"),
                        "-q", world.key],
                       env=os.environ | world.environment, check=True)
        world.key.unlink()
        give_to(OWNER, world.checkout)
        asked = world.run_program(world.command_of(
            OWNER, "--dry-run", "--build=in-place"))
        self.assertEqual(asked.returncode, 0, asked.stderr)
        for user in (OWNER, 0):
            self.require_obstacle("there is no key for", user=user)

    def test_server_is_down(self):
        self.world.server.process.terminate()
        self.world.server.process.wait()
        self.require_obstacle("cannot be reached")

    def test_no_ssh(self):
        (self.world.bin / "ssh").unlink()
        self.require_obstacle("there is no ssh")

    def test_repository_is_not_there(self):
        self.world.set_git("remote.origin.url", "ssh://server/srv/x")
        self.require_obstacle("there is no repository at ssh://server/srv/x")


@needs_root
class HostKey(Obstacles):
    def test_host_key_has_changed(self):
        world = self.world = self.enterContext(SshHost())
        with world.server.under_another_key():
            self.require_mended("has another key than the one that ssh knows")
            self.require_deployment()


class HttpsServer:
    """Serves a repository's files to who has the token."""

    def __init__(self, folder, repository):
        folder.mkdir()
        self.certificate = folder / "certificate"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout",
             folder / "key", "-out", self.certificate, "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            check=True, stderr=subprocess.DEVNULL)
        self.certificate.chmod(0o644)
        wanted = base64.b64encode(f"me:{TOKEN}".encode()).decode()

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=repository)

            def do_GET(self):
                if self.headers.get("Authorization") == f"Basic {wanted}":
                    super().do_GET()
                    return
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *unused):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                       Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "key")
        self._server.socket = context.wrap_socket(self._server.socket,
                                                  server_side=True)
        self.address = f"localhost:{self._server.server_port}/shop.git"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever,
                         daemon=True).start()
        return self

    def __exit__(self, *unused):
        self._server.shutdown()
        self._server.server_close()


class HttpsHost(PrivateHost):
    """Its owner has a token in a file, and trusts the server."""

    def __init__(self):
        super().__init__()
        self.www = self.root / "www"
        self.www.mkdir()
        (self.www / "shop.git").symlink_to(self.origin)
        self.update_server()
        self.server = HttpsServer(self.server_folder, self.www)
        self.trusted = self.root / "authority"
        shutil.copy(self.server.certificate, self.trusted)
        self.credentials = self.client / "credentials"
        self.credentials.write_text(
            f"https://me:{TOKEN}@{self.server.address}\n")
        self.credentials.chmod(0o600)
        self.close_client()
        self.set_git("remote.origin.url", f"https://{self.server.address}")
        self.set_git("http.sslCAInfo", self.trusted)
        self.set_git("credential.helper",
                     f"store --file={self.credentials}")

    def update_server(self):
        self.git(self.origin, "update-server-info")


@needs_root
class Token(Obstacles):
    def setUp(self):
        self.world = self.enterContext(HttpsHost())
        self.enterContext(self.world.server)

    def test_what_the_page_says_works(self):
        self.require_none()
        self.require_deployment()

    def test_token_is_missing(self):
        world = self.world
        world.credentials.unlink()
        self.require_obstacle("wants a name and a password or token")
        world.as_owner(
            world.checkout, "credential", "approve",
            text=f"url=https://{world.server.address}\nusername=me\n"
            f"password={TOKEN}\n")
        self.require_none()
        self.assertEqual(world.credentials.stat().st_mode & 0o777, 0o600)

    def test_token_is_wrong(self):
        self.world.credentials.write_text(
            f"https://me:old@{self.world.server.address}\n")
        self.require_obstacle("wants a name and a password or token")

    def test_certificate_is_not_trusted(self):
        self.world.set_git("--unset", "http.sslCAInfo")
        self.require_obstacle("the certificate of https://localhost:")

    def test_token_in_the_address(self):
        world = self.world
        world.set_git("remote.origin.url",
                      f"https://me:{TOKEN}@{world.server.address}")
        (world.checkout / ".git/config").chmod(0o644)
        run, found = world.check()
        self.assertEqual(found["obstacles"], [])
        self.assertEqual(len(found["notes"]), 1)
        self.assertIn("holds a name or password, and everybody can read it",
                      found["notes"][0]["what"])
        self.assertNotIn(TOKEN, run.stdout)
        paste(world, found["notes"][0]["remedy"])
        _, found = world.check()
        self.assertEqual(found["notes"], [])

    def test_token_in_a_variable_of_the_service(self):
        world = self.world
        world.set_git("credential.helper",
                      "!f() { echo username=me; echo password=$DEPLOY_TOKEN; "
                      "}; f")
        world.config("pass-environment = DEPLOY_TOKEN\n" +
                     world.config_file.read_text())
        whats = [one["what"] for one in self.check()]
        self.assertEqual(len(whats), 2, whats)
        self.assertIn("pass-environment names DEPLOY_TOKEN", whats[0])
        file = world.root / "token"
        file.write_text(f"DEPLOY_TOKEN={TOKEN}\n")
        file.chmod(0o600)
        world.units.set(SERVICE,
                        EnvironmentFiles=f"{file} (ignore_errors=no)")
        self.require_none()
        # As systemd starts it.
        world.environment["DEPLOY_TOKEN"] = TOKEN
        self.require_deployment()

    def test_token_in_netrc(self):
        world = self.world
        world.set_git("--unset", "credential.helper")
        home = world.client / "home"
        home.mkdir()
        netrc = home / ".netrc"
        netrc.write_text(f"machine localhost login me password {TOKEN}\n")
        netrc.chmod(0o600)
        # A user who has a home, over which the folder is mounted.
        for path in (world.client, world.checkout):
            subprocess.run(["chown", "-hR", "backup:backup", path],
                           check=True)
        world.before = ["/usr/bin/unshare", "--mount", "sh", "-c",
                        'mount --bind "$0" /var/backups && exec "$@"', home]
        world.link_tool("mount")
        self.require_none()
        netrc.unlink()
        self.require_obstacle("wants a name and a password or token")
