"""What users teach the filter, and how much of it Rspamd says that it knows."""

import re
from datetime import timedelta

from fixtures.dell.stack import Stack
from fixtures.mail.mailbox import ImapMailbox
from fixtures.mail.message import make, new_marker
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.conftest import STRANGER, Arrive

OFFER = "These words are about an offer that nobody asked for, and there are quite a number of them."


def learned_spam(stack: Stack) -> int:
    """How many messages Rspamd itself says that it has learned as spam."""
    found = re.search(r"BAYES_SPAM .*?learned: (\d+)", stack.execute("rspamd", ["rspamc", "stat"]).stdout)
    assert found is not None
    return int(found[1])


def wait_until_learned(stack: Stack, count: int) -> None:
    """Rspamd reads its statistics from Redis every few seconds, not at each question."""
    wait_for(
        f"{count} lessons",
        lambda: learned_spam(stack),
        until=lambda n: n == count,
        timeout=timedelta(seconds=30),
    )


def teach(world: Sim, arrive: Arrive, user: str) -> str:
    """Have a user move a message into Junk; returns its marker."""
    # Words of this run's own: what Rspamd has learned already it does not learn again.
    letters = new_marker().translate(str.maketrans("0123456789", "ghijklnopq"))
    message = make(STRANGER, [user], body=f"{OFFER} {' '.join(re.findall('.{6}', letters))}")
    assert arrive(message, [user]).accepted
    inbox = world.mailbox("imap", user)
    assert isinstance(inbox, ImapMailbox)
    inbox.wait_for(message.marker)
    with inbox.session() as client:
        client.select_folder("INBOX")
        client.move(client.search(["TEXT", message.marker]), "Junk")
    return message.marker
