"""What starts a deployment at once, by the examples of docs/deploy-now.md: a
signed message to Debian's webhook, and a hook of the git server over ssh."""

import hashlib
import hmac
import json
import re

from host.test_host import PATIENCE, Group
from support import TOP, require
from support.host import ORIGIN, UNIT, until

EXAMPLES = TOP / "docs/examples/deploy-now"
PAGE = TOP / "docs/deploy-now.md"
SECRET = "0123456789abcdef"
HOOKS = "http://127.0.0.1:9000/hooks"
PROD = {"ref": "refs/heads/prod"}


def signed(body, secret=SECRET):
    digest = hmac.new(secret.encode(), body.encode(), hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


class Now(Group):
    """No timer runs: what is deployed was asked for."""

    hurry = False

    @classmethod
    def set_up(cls):
        super().set_up()
        host = cls.host
        host.run("systemctl", "stop", f"{UNIT}.timer")
        host.write("/etc/webhook.conf",
                   (EXAMPLES / "webhook.conf").read_text().replace(
                       "REPLACE-WITH-THE-SECRET", SECRET), 0o600)
        host.write("/etc/systemd/system/webhook.service.d/limits.conf",
                   (EXAMPLES / "webhook-limits.conf").read_text())
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "restart", "webhook.service")
        until("webhook to listen", lambda: cls.status_of("", {}) == "404",
              PATIENCE)

    @classmethod
    def status_of(cls, body, headers, hook="unknown"):
        """The status that webhook answers a POST with."""
        words = [word for name, value in headers.items()
                 for word in ("-H", f"{name}: {value}")]
        return cls.host.run(
            "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
            "--data-binary", body, "-H", "Content-Type: application/json",
            *words, f"{HOOKS}/{hook}", check=False).stdout

    def ask(self, payload, **options):
        body = json.dumps(payload)
        return self.status_of(
            body, {"X-Hub-Signature-256": signed(body, **options)}, "deploy")

    def require_nothing_started(self, before):
        require(self.host.show(f"{UNIT}.service", "InvocationID") == before,
                "a run was started")

    def test_a_signed_message_deploys(self):
        after = self.host.cursor()
        commit = self.host.push_back_end("signed")
        require(self.ask(PROD) == "200", "refused")
        self.wait_until_deployed(commit, after)
        self.host.wait_for_back_end("signed")

    def setUp(self):
        self.wait_until_idle()  # while a run is at work, nothing is started

    def test_a_message_twice_does_no_harm(self):
        after = self.host.cursor()
        commit = self.host.push_back_end("twice")
        answers = [self.ask(PROD), self.ask(PROD)]
        require(answers == ["200", "200"], answers)
        self.wait_until_deployed(commit, after)
        self.host.wait_for_back_end("twice")
        deployed = re.findall(rf"deployed {commit[:12]} ",
                              self.host.journal_text(after))
        require(len(deployed) == 1, f"deployed {len(deployed)} times")

    def test_others_are_refused(self):
        before = self.host.show(f"{UNIT}.service", "InvocationID")
        body = json.dumps(PROD)
        answers = {
            "another secret": self.ask(PROD, secret="another"),
            "another branch": self.ask({"ref": "refs/heads/main"}),
            "no signature": self.status_of(body, {}, "deploy")}
        # 500: webhook 2.8 says so of a signature that is wrong.
        require(set(answers.values()) <= {"403", "500"}, answers)
        self.require_nothing_started(before)

    def test_webhook_keeps_no_right_of_root(self):
        pid = self.host.show("webhook.service", "MainPID")
        status = self.host.run("cat", f"/proc/{pid}/status").stdout
        for line in ("CapEff:\t0000000000000000", "NoNewPrivs:\t1"):
            require(line in status, status)
        listens = self.host.run("ss", "-Hltn", "sport = 9000").stdout
        require(re.search(r" 127\.0\.0\.1:9000 ", listens), listens)

    def test_a_hook_of_the_git_server_deploys(self):
        """As the page says, with this host as its own git server."""
        host = self.host
        host.shell("ssh-keygen -A; systemctl start ssh.service\n"
                   "mkdir -p -m 700 /root/.ssh\n"
                   "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/deploy-now\n"
                   "ssh-keyscan -t ed25519 127.0.0.1 >>/root/.ssh/known_hosts")
        options = re.search(r'restrict,command="[^"]+"',
                            PAGE.read_text()).group()
        host.shell(f"echo '{options}' $(cat /root/.ssh/deploy-now.pub) "
                   ">/root/.ssh/authorized_keys")
        host.write(f"{ORIGIN}/hooks/post-receive",
                   (EXAMPLES / "post-receive").read_text().replace(
                       "root@app.example.com", "root@127.0.0.1"), 0o755)
        try:
            after = host.cursor()
            commit = host.push_back_end("hooked")
            self.wait_until_deployed(commit, after)
            host.wait_for_back_end("hooked")
            key = ["ssh", "-i", "/root/.ssh/deploy-now", "-o",
                   "BatchMode=yes", "root@127.0.0.1"]
            said = host.run(*key, "id").stdout
            require("uid=" not in said, f"the key runs anything: {said}")
            host.run("systemctl", "stop", "ssh.service", "ssh.socket")
            host.push_back_end("away")  # no push fails
        finally:
            host.outside(f"{ORIGIN}/hooks/post-receive").unlink()
