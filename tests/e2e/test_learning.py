"""What users have done outlives every container: mail, flags, folders, and what they taught (F55)."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fixtures.dell.layout import TARGET
from fixtures.dell.stack import Stack
from fixtures.mail.message import make
from fixtures.targets.sim import Sim
from tests.e2e.boxes import Box, Contents, contents, mailbox_of_its_own
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.lessons import learned_spam, teach, wait_until_learned

WORK = "仕事/2026"


@dataclass(frozen=True)
class Redeployed:
    """What was there before and after every container was made anew, of which lesson and which mailbox."""

    learned: int
    lesson: str
    before: Contents
    after: Contents
    box: Box


def _use(box: Box, arrive: Arrive) -> None:
    """Leave in a mailbox what its owner would: read, flagged, filed, drafted, and new mail from outside."""
    box.put(["read", "flagged", "filed"])
    with box.imap().session() as client:
        client.select_folder("INBOX")
        client.create_folder(WORK)
        client.subscribe_folder(WORK)
        client.add_flags(
            client.search(["SUBJECT", "flagged"]), ["\\Seen", "\\Flagged", "\\Answered", "$Later"]
        )
        client.move(client.search(["SUBJECT", "filed"]), WORK)
        draft = make(box.user, ["friend@example.net"], subject="draft")
        client.append("Drafts", draft.content, flags=["\\Draft"])
    message = make(STRANGER, [box.user])
    assert arrive(message, [box.user]).accepted
    box.imap().wait_for(message.marker)


@pytest.fixture(scope="module")
def redeployed(world: Sim, arrive: Arrive, request: pytest.FixtureRequest) -> Iterator[Redeployed]:
    """One redeployment of all containers for the specs of this file, with what was there before it."""
    world.ledger.spec = request.node.nodeid
    stack = Stack(world.dell, TARGET)
    with mailbox_of_its_own(world, world.site.mail.primary) as box:
        _use(box, arrive)
        learned = learned_spam(stack)
        lesson = teach(world, arrive, f"alice@{world.site.mail.primary}")
        wait_until_learned(stack, learned + 1)
        before, started = contents(box), stack.started()
        try:
            stack.recreate(started)
            stack.up()
        finally:
            world.gateway.recovered()
        assert [name for name, moment in stack.started().items() if moment <= started[name]] == []
        yield Redeployed(learned + 1, lesson, before, contents(box), box)


@pytest.mark.req("R-7.1-junk-learns", "R-1.2.2-learning-redeployed")
def test_a_lesson_outlives_every_container(world: Sim, redeployed: Redeployed, alice: str) -> None:
    """Moved into Junk, learned at once, and still known to containers that are all new."""
    wait_until_learned(Stack(world.dell, TARGET), redeployed.learned)
    assert world.mailbox("imap", alice, folder="Junk").count(redeployed.lesson) == 1


@pytest.mark.req("R-4.1-mail-survives-redeploy")
def test_mail_flags_and_folders_outlive_every_container(redeployed: Redeployed) -> None:
    """Each message with its UID, flags, keyword, date and bytes; folders, subscriptions and POP3's ids."""
    before = redeployed.before
    assert {name: len(before[name][1]) for name in ("INBOX", WORK, "Drafts", "Sent")} == {
        "INBOX": 3, WORK: 1, "Drafts": 1, "Sent": 0,
    }  # fmt: skip
    flags = {flag for message in before["INBOX"][1].values() for flag in message[0]}
    assert flags >= {b"\\Flagged", b"\\Answered", b"$Later"}
    assert WORK in before["subscribed"]
    assert redeployed.after == before


@pytest.mark.req("R-4.1-mail-survives-redeploy")
def test_mail_goes_on_arriving_where_it_was(arrive: Arrive, redeployed: Redeployed) -> None:
    """The user is still one, and his next message gets the next UID of the same folder."""
    message = make(STRANGER, [redeployed.box.user])
    assert arrive(message, [redeployed.box.user]).accepted
    redeployed.box.imap().wait_for(message.marker)
    former, now = redeployed.before["INBOX"], contents(redeployed.box)["INBOX"]
    assert now[0] == former[0]
    assert min(set(now[1]) - set(former[1])) > max(former[1])
