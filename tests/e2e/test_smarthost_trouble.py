"""When SendGrid does not take a message: later means later, no means that its author learns of it (7.2)."""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack

import pytest

from fixtures.engine.containers import get
from fixtures.faults.smarthost import smarthost_unreachable
from fixtures.internet.sendgrid.client import Switches
from fixtures.mail.headers import parse
from fixtures.mail.ledger_content import failed_recipients
from fixtures.mail.message import Message, make, new_marker
from fixtures.site import load_site
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from tests.e2e.conftest import Submit
from tests.e2e.outgoing import attempts, try_now, wait_for_attempts, waiting

FOREIGN = "friend@example.net"
Trouble = Callable[[Sim], AbstractContextManager[None]]


def queued(submit: Submit, message: Message, recipients: Sequence[str], author: str) -> str:
    """Submit a message; its queue id on the server."""
    outcome = submit(message, recipients, user=author)
    assert outcome.accepted, outcome
    assert outcome.queue_id
    return outcome.queue_id


def switched(switches: Switches) -> Trouble:
    """SendGrid itself says no for a while."""
    return lambda world: world.sendgrid.switched(**switches)


def unreachable(_: Sim) -> AbstractContextManager[None]:
    """Nobody answers there."""
    return smarthost_unreachable(get("ntt-router"))


@pytest.mark.req("R-4.2-outage-longer-than-retry")
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        pytest.param(unreachable, "Connection refused", id="down"),
        pytest.param(switched({"fault": "defer"}), "451 Temporary server error", id="later"),
        pytest.param(switched({"quota": 0}), "451 You have exceeded your messaging limits", id="quota"),
    ],
)
def test_mail_outlives_an_outage(
    world: Sim, submit: Submit, alice: str, trouble: Trouble, words: str
) -> None:
    """Two attempts fail, the message waits, nobody gets a notice; then it goes out, once."""
    message = make(alice, [FOREIGN])
    with ExitStack() as outage:
        outage.enter_context(trouble(world))
        queue_id = queued(submit, message, [FOREIGN], alice)
        wait_for_attempts(world, queue_id, FOREIGN, 1)
        try_now(world)
        failed = wait_for_attempts(world, queue_id, FOREIGN, 2)
        assert [text for text in failed if not (text.startswith("deferred (") and words in text)] == []
        assert queue_id in waiting(world)
        assert world.sendgrid.messages(message.marker) == []
    try_now(world)
    world.receiver.wait_for_message(FOREIGN, message.marker)
    assert attempts(world, queue_id, FOREIGN)[-1].startswith("sent (")
    assert len(world.sendgrid.messages(message.marker)) == 1
    assert world.mailbox("imap", alice).count(message.marker) == 0


@pytest.mark.req("R-4.2-outage-longer-than-retry")
def test_who_is_put_off_alone_gets_his_copy_later(world: Sim, submit: Submit, alice: str) -> None:
    """451 for one recipient: the other has his copy at once, and neither gets two."""
    late = f"delay+{new_marker()[:12]}@example.com"  # SendGrid's stand-in puts each name off once
    message = make(alice, [FOREIGN, late])
    queue_id = queued(submit, message, [FOREIGN, late], alice)
    world.receiver.wait_for_message(FOREIGN, message.marker)
    [first, *_] = wait_for_attempts(world, queue_id, late, 1)
    assert re.match(r"deferred .*451", first)
    try_now(world)
    world.receiver.wait_for_message(late, message.marker)
    passed = [name for item in world.sendgrid.messages(message.marker) for name in item.recipients]
    assert sorted(passed) == sorted([FOREIGN, late])


@pytest.mark.req("R-4.2-refused-becomes-dsn")
@pytest.mark.parametrize("domain", load_site(ROOT / "site.toml").mail.domains)
def test_a_refused_recipient_comes_back_to_the_author(world: Sim, submit: Submit, domain: str) -> None:
    """A notice from nobody, in the author's own mailbox, with SendGrid's words; the others get their copy."""
    author, bad = f"alice@{domain}", "fail@example.net"
    message = make(author, [FOREIGN, bad])
    assert submit(message, [FOREIGN, bad], user=author).accepted
    world.ledger.expect(message.marker, bad, "dsn")
    notice = world.mailbox("imap", author).wait_for(message.marker)
    assert failed_recipients(notice) == (bad,)
    read = parse(notice)
    assert (read["Return-Path"], read["To"]) == ("<>", author)
    assert "550 5.1.1 The email account that you tried to reach does not exist" in " ".join(
        notice.decode().split()
    )
    world.receiver.wait_for_message(FOREIGN, message.marker)
    assert [item.recipients for item in world.sendgrid.messages(message.marker)] == [[FOREIGN]]


@pytest.mark.req("R-4.2-refused-becomes-dsn")
def test_a_message_that_sendgrid_refuses_comes_back(world: Sim, submit: Submit, alice: str) -> None:
    """550 to the sender as a whole, as when the account is blocked: a notice, and no further attempt."""
    message = make(alice, [FOREIGN])
    with world.sendgrid.switched(fault="reject"):
        queue_id = queued(submit, message, [FOREIGN], alice)
        world.ledger.expect(message.marker, FOREIGN, "dsn")
        notice = world.mailbox("imap", alice).wait_for(message.marker)
    assert failed_recipients(notice) == (FOREIGN,)
    assert b"550 Requested action not taken" in b" ".join(notice.split())
    try_now(world)
    assert [text[:7] for text in attempts(world, queue_id, FOREIGN)] == ["bounced"]
    assert queue_id not in waiting(world)
