"""What the health monitor tells: the administrator's mailbox, and a subscriber of the alerts' topic."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.message import Message as Mail
from typing import Any

from fixtures.dell.layout import TARGET
from fixtures.engine.client import engine
from fixtures.engine.containers import get
from fixtures.engine.execute import execute
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for

SERVICE, TIMER = "mailserver-monitor.service", "mailserver-monitor.timer"
MEMORY = "/var/lib/mailserver/health"
ENV = f"{TARGET}/.env"

_PORT, _HEARD = 8099, "/tmp/alerts-heard"
# Keeps the body of each request, a line each; its process id is in a file beside.
_SUBSCRIBER = f"""
import http.server, os
open("{_HEARD}.pid", "w").write(str(os.getpid()))
class Hear(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).replace(b"\\n", b" ")
        open("{_HEARD}", "ab").write(body + b"\\n")
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", {_PORT}), Hear).serve_forever()
"""


class Administrator:
    """The administrator since the spec began: his mailbox elsewhere, and the monitor when he runs it."""

    def __init__(self, world: Sim) -> None:
        self.world = world
        self._before = len(world.receiver.inbox(world.site.mail.admin))

    def look(self, times: int = 1) -> None:
        """Have the monitor look, as its timer does, and return when it has."""
        for _ in range(times):
            self.world.dell.run(["systemctl", "start", SERVICE])

    def mails(self, words: str) -> list[Mail]:
        """The messages of this spec whose subject has these words."""
        inbox = self.world.receiver.inbox(self.world.site.mail.admin)[self._before :]
        return [mail for mail in map(message_from_bytes, inbox) if words in str(mail["Subject"])]

    def wait_for_mail(self, words: str) -> str:
        """The text of the first message whose subject has these words."""
        found = wait_for(f"a mail about {words!r}", lambda: self.mails(words), timeout=timedelta(seconds=40))
        return str(found[0].get_payload())

    def forget(self, mark: str) -> None:
        """Have the monitor forget when it last asked, as if the time had passed."""
        self.world.dell.run(["sed", "-i", f"/^mark {mark} /d", MEMORY])


@contextmanager
def looking_by_hand(world: Sim) -> Iterator[None]:
    """The timer stands still and the monitor knows of nothing; afterwards it looks by itself again."""
    for unit in (TIMER, SERVICE):
        world.dell.run(["systemctl", "stop", unit])
    world.dell.run(["rm", "-f", MEMORY])
    try:
        yield
    finally:
        world.dell.run(["rm", "-f", MEMORY])
        world.dell.run(["systemctl", "start", TIMER])


@contextmanager
def settings(world: Sim, **values: str) -> Iterator[None]:
    """Further lines of .env, taken away again."""
    before = world.dell.run(["cat", ENV]).stdout
    text = before + "".join(f"{name}='{value}'\n" for name, value in values.items())
    world.dell.put(ENV, text.encode(), 0o600)
    try:
        yield
    finally:
        world.dell.put(ENV, before.encode(), 0o600)


@contextmanager
def subscriber(world: Sim, topic: str) -> Iterator["Subscriber"]:
    """A confirmed subscriber of the topic, beside the emulator, which reaches nothing else."""
    localstack = get("localstack")
    created = engine().api.exec_create(localstack.id, ["python3", "-c", _SUBSCRIBER])
    engine().api.exec_start(created["Id"], detach=True)
    wait_for(
        "the subscriber listens",
        lambda: execute(localstack, ["test", "-s", f"{_HEARD}.pid"]).status == 0,
        timeout=timedelta(seconds=20),
    )
    sns = world.aws.client("sns")
    found = Subscriber()
    arn = ""
    try:
        arn = sns.subscribe(
            TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{_PORT}/", ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        asked = wait_for(
            "the request to confirm", lambda: found.heard("SubscriptionConfirmation"),
            timeout=timedelta(seconds=20),
        )  # fmt: skip
        sns.confirm_subscription(TopicArn=topic, Token=asked[0]["Token"])
        yield found
    finally:
        if arn:
            sns.unsubscribe(SubscriptionArn=arn)
        execute(localstack, ["sh", "-c", f"kill $(cat {_HEARD}.pid); rm -f {_HEARD} {_HEARD}.pid"]).check()


class Subscriber:
    """What the topic has told since the subscription."""

    def heard(self, kind: str = "Notification") -> list[dict[str, Any]]:
        """Messages of a kind, oldest first."""
        shown = execute(get("localstack"), ["cat", _HEARD])
        messages: list[dict[str, Any]] = [json.loads(line) for line in shown.stdout.splitlines()]
        return [message for message in messages if message["Type"] == kind]

    def subjects(self) -> list[str]:
        """The subjects of all alerts."""
        return [str(message["Subject"]) for message in self.heard()]

    def wait_for(self, words: str) -> str:
        """The text of the first alert whose subject has these words."""

        def found() -> list[str]:
            return [str(message["Message"]) for message in self.heard() if words in str(message["Subject"])]

        return wait_for(f"an alert about {words!r}", found, timeout=timedelta(seconds=30))[0]
