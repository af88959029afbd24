"""What the health monitor tells the administrator, and the monitor itself, run by a spec."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.message import Message as Mail

from fixtures.dell.layout import TARGET
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for

SERVICE, TIMER = "mailserver-monitor.service", "mailserver-monitor.timer"
MEMORY = "/var/lib/mailserver/health"
ENV = f"{TARGET}/.env"

_FRESH = f"""mkdir -p -m 700 {MEMORY.rpartition("/")[0]}; echo "mark filter $(date +%s)" >{MEMORY}"""
"""Shell: no event is known, and what the filter found until now is nobody's business any more."""


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

    def look_until_told(self, words: str) -> str:
        """The text of the first such message; the monitor looks again for as long as there is none.

        A look reads the filter's log up to its own second, and two may fall into the second of the event.
        """

        def told() -> list[Mail]:
            self.look()
            return self.mails(words)

        wait_for(f"a look that tells of {words!r}", told, timeout=timedelta(seconds=40))
        self.look(2)
        return self.wait_for_mail(words)

    def forget(self, mark: str) -> None:
        """Have the monitor forget when it last asked, as if the time had passed."""
        self.world.dell.run(["sed", "-i", f"/^mark {mark} /d", MEMORY])


@contextmanager
def looking_by_hand(world: Sim) -> Iterator[None]:
    """The timer stands still and the monitor knows of nothing; afterwards it looks by itself again."""
    world.dell.run(["systemctl", "stop", TIMER])
    # Waits for a look that is under way.
    world.dell.run(["systemctl", "start", SERVICE], check=False)
    world.dell.run(["sh", "-c", _FRESH])
    try:
        yield
    finally:
        world.dell.run(["sh", "-c", _FRESH])
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
