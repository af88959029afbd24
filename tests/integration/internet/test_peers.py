"""The foreign mail hosts: mail goes from one to the other, and refusals come back."""

from datetime import timedelta

import pytest

from fixtures.internet.peers import Delivery, Peer
from fixtures.mail.headers import trace
from fixtures.mail.message import japanese, make
from fixtures.mail.outcome import Verdict
from fixtures.mail.smtp import deliver
from fixtures.vantage import Vantage
from fixtures.wait import wait_for


@pytest.mark.req("R-0-peers")
def test_mail_travels_by_mx_over_tls(sender: Peer, receiver: Peer) -> None:
    """Mail submitted at example.org arrives at example.com's MX, encrypted, under the ids both logged."""
    message = japanese("dave@example.org", ["erin@example.com"])
    queue_id = sender.sendmail(message.content, "dave@example.org", ["erin@example.com"])
    stored = receiver.wait_for_message("erin@example.com", message.marker)
    attempts = sender.wait_for_delivery(queue_id)
    hops = trace(stored)
    assert [(attempt.status, attempt.dsn) for attempt in attempts] == [("sent", "2.0.0")]
    assert (hops[0].protocol, hops[0].by) == ("ESMTPS", "mx.example.net")
    assert attempts[0].text.endswith(f"queued as {hops[0].queue_id}")
    assert hops[1].queue_id == queue_id


def tried_again(sender: Peer, queue_id: str) -> list[Delivery]:
    """The first attempts made after flushing the queue."""
    before = len(sender.attempts(queue_id))
    sender.flush()
    return wait_for(
        "another attempt", lambda: sender.attempts(queue_id)[before:], timeout=timedelta(seconds=15)
    )[:1]


@pytest.mark.req("R-0-peers")
def test_refused_mail_comes_back_and_busy_mail_waits(sender: Peer) -> None:
    """A 550 makes a bounce to the sender at once, a 450 keeps the message in the queue for the next try."""
    recipients = ["busy@example.com", "refuse@example.com"]
    message = make("frank@example.org", recipients)
    queue_id = sender.sendmail(message.content, "frank@example.org", recipients)
    bounce = sender.wait_for_message("frank@example.org", message.message_id)
    assert b"550 5.1.1 <refuse@example.com>" in bounce
    waiting = {item.queue_id: item for item in sender.queue()}
    assert list(waiting[queue_id].reasons) == ["busy@example.com"]
    assert [item.recipient for item in tried_again(sender, queue_id)] == ["busy@example.com"]
    sender.clear()
    assert sender.queue() == []


@pytest.mark.req("R-0-peers")
def test_receiver_is_no_relay(internet_host: Vantage) -> None:
    """The receiver takes mail for its own domains and refuses the rest for good."""
    own = make("bob@example.org", ["carol@example.net"])
    foreign = make("bob@example.org", ["carol@foreign.example"])
    accepted = deliver(internet_host, "mx.example.net", 25, own, "bob@example.org", ["carol@example.net"])
    refused = deliver(
        internet_host, "mx.example.net", 25, foreign, "bob@example.org", ["carol@foreign.example"]
    )
    assert (accepted.verdict, accepted.tls) == (Verdict.ACCEPTED, "TLSv1.3")
    assert accepted.queue_id is not None
    assert (refused.verdict, refused.phase, refused.code) == (Verdict.REFUSED, "rcpt", 554)


@pytest.mark.req("R-0-outcome-told-apart")
def test_outcome_tells_refused_from_deferred(internet_host: Vantage) -> None:
    """A 550, a 450 and a closed port are three different outcomes, and none of them is an acceptance."""
    found = []
    for recipient, port in (("refuse@example.net", 25), ("busy@example.net", 25), ("carol@example.net", 26)):
        message = make("bob@example.org", [recipient])
        outcome = deliver(internet_host, "mx.example.net", port, message, "bob@example.org", [recipient])
        found.append((outcome.verdict, outcome.phase, outcome.code))
    assert found == [
        (Verdict.REFUSED, "rcpt", 550),
        (Verdict.DEFERRED, "rcpt", 450),
        (Verdict.DEFERRED, "connect", -1),
    ]
