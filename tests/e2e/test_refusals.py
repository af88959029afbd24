"""What must not get in is refused during the session, so that its sender learns of it (F11, F13, F14)."""

from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

import pytest
from docker.models.containers import Container

from fixtures.engine.containers import get
from fixtures.engine.execute import execute
from fixtures.mail.message import make, new_marker, spam, virus
from fixtures.mail.outcome import Verdict
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.conftest import STRANGER, Arrive, Deliver

FOREIGN = "somebody@example.net"


@pytest.mark.req("R-7.1-unknown-refused", "R-1.1-nothing-stored")
def test_an_unknown_user_is_refused_in_the_session(world: Sim, arrive: Arrive, alice: str) -> None:
    """550 from the server that knows, at RCPT; the user beside him in the same session gets his copy."""
    unknown = alice.replace("alice", "nobody")
    message = make(STRANGER, [unknown, alice])
    outcome = arrive(message, [unknown, alice])
    assert outcome.recipients[unknown].code == 550
    assert outcome.accepted, outcome
    world.mailbox("imap", alice).wait_for(message.marker)
    assert world.gateway.queue() == []


@pytest.mark.req("R-3.2-own-domains-only")
@pytest.mark.parametrize("forged", [False, True])
@pytest.mark.parametrize(
    "place", ["internet-host", "internet-host-2", "vpc-neighbour", "lan-host", "tailnet-pc", "tailnet-phone"]
)
def test_nobody_relays_through_the_gateway(
    world: Sim, arrive: Arrive, alice: str, place: str, forged: bool
) -> None:
    """A foreign recipient is refused from everywhere, whatever sender is claimed (F02, F50)."""
    sender = alice if forged else STRANGER
    message = make(sender, [FOREIGN])
    refused = arrive(message, [FOREIGN], sender=sender, place=place)
    assert (refused.verdict, refused.code, refused.phase) == (Verdict.REFUSED, 554, "rcpt"), refused
    allowed = arrive(make(STRANGER, [alice]), [alice], place=place)
    assert allowed.accepted, allowed
    assert not any(message.marker.encode() in kept for kept in world.receiver.inbox(FOREIGN))


@pytest.mark.req("R-3.2-own-domains-only")
@pytest.mark.parametrize("place", ["internet-host", "vpc-neighbour"])
def test_the_gateway_refuses_without_asking_the_server(
    world: Sim, arrive: Arrive, alice: str, place: str
) -> None:
    """The server, which would refuse as well, never hears of a foreign recipient (F02, F14).

    The control is a recipient that the server alone can refuse: that one stands in its log.
    """
    marker = new_marker()
    foreign, unknown = f"{marker}@example.net", alice.replace("alice", marker)
    for recipient, code in ((foreign, 554), (unknown, 550)):
        outcome = arrive(make(STRANGER, [recipient]), [recipient], place=place)
        assert (outcome.phase, outcome.code) == ("rcpt", code), outcome
    log = wait_for(
        "the server's log of its own refusal",
        lambda: world.dell.run(["docker", "logs", "mailserver-postfix"]).stdout,
        until=lambda text: f"<{unknown}>" in text,
        timeout=timedelta(seconds=10),
    )
    assert f"<{foreign}>" not in log


@pytest.mark.req("R-4.2-inbound-no-relay")
@pytest.mark.parametrize("forged", [False, True])
def test_nobody_relays_through_the_servers_inbound_port(world: Sim, alice: str, forged: bool) -> None:
    """The gateway's own container, the only one the ACL lets in, cannot relay through 2525 either (F50)."""
    sender = alice if forged else STRANGER
    inside = world.gateway.container("pause")

    def swaks(recipient: str) -> tuple[int, str]:
        argv = [
            "swaks",
            "--server",
            "127.0.0.1:2525",
            "--from",
            sender,
            "--to",
            recipient,
            "--quit-after",
            "RCPT",
        ]
        done = execute(inside, argv)
        return done.status, done.stdout

    status, said = swaks(FOREIGN)
    assert (status, "<** 554 5.7.1" in said) == (24, True), said
    status, said = swaks(alice)
    assert status == 0, said


@pytest.mark.req("R-7.1-virus-refused", "R-7.1-spam-refused")
@pytest.mark.parametrize("make_bad", [virus, spam])
def test_virus_and_spam_are_refused_in_the_session(
    world: Sim, arrive: Arrive, alice: str, make_bad: object
) -> None:
    """EICAR and GTUBE get 554 after the final dot and never arrive; a clean message does (F53, F56)."""
    assert callable(make_bad)
    bad = make_bad(STRANGER, [alice])
    outcome = arrive(bad, [alice])
    assert (outcome.verdict, outcome.phase) == (Verdict.REFUSED, "data"), outcome
    assert outcome.code == 554
    clean = make(STRANGER, [alice])
    assert arrive(clean, [alice]).accepted
    world.mailbox("imap", alice).wait_for(clean.marker)
    assert world.mailbox("imap", alice).count(bad.marker) == 0


def _mx_answers_4xx(world: Sim, arrive: Arrive, user: str) -> None:
    message = make(STRANGER, [user])
    started = monotonic()
    outcome = arrive(message, [user])
    took = monotonic() - started
    assert outcome.verdict is Verdict.DEFERRED, outcome
    assert 400 <= outcome.code < 500, outcome
    assert took < 30


@pytest.fixture
def server_paused(world: Sim) -> Iterator[None]:
    """The Dell hangs: it is there, but nothing on it answers."""
    dell = get("dell")
    dell.pause()
    dell.reload()
    assert dell.status == "paused"
    try:
        yield
    finally:
        dell.unpause()
        world.gateway.recovered()


@pytest.fixture
def server_stopped(world: Sim) -> Iterator[Container]:
    """The Dell's Postfix is stopped: its port is closed. Yields the gateway's Postfix."""
    postfix = world.gateway.container("postfix")  # no task counts as healthy for long from now on
    world.dell.run(["docker", "stop", "mailserver-postfix"])
    try:
        yield postfix
    finally:
        world.dell.run(["docker", "start", "mailserver-postfix"])
        wait_for(
            "the Dell's Postfix is healthy again",
            lambda: world.dell.run(
                ["docker", "inspect", "-f", "{{.State.Health.Status}}", "mailserver-postfix"]
            ).stdout.strip(),
            until=lambda status: status == "healthy",
            timeout=timedelta(seconds=60),
        )
        world.gateway.recovered()


@pytest.mark.req("R-7.1-later-when-down")
def test_a_stopped_server_means_try_again_later(
    world: Sim, arrive: Arrive, alice: str, server_stopped: Container
) -> None:
    """4xx within 30 s, and nothing is kept on the gateway, not even a notice about it (F11)."""
    for _ in range(2):  # what the first session left behind is in the queue when the second one ends
        _mx_answers_4xx(world, arrive, alice)
    assert execute(server_stopped, ["postqueue", "-j"]).check().stdout == ""


@pytest.mark.req("R-7.1-later-when-down")
@pytest.mark.usefixtures("server_paused")
def test_a_hanging_server_means_try_again_later(world: Sim, arrive: Arrive, alice: str) -> None:
    """4xx within 30 s also when nothing answers at all."""
    _mx_answers_4xx(world, arrive, alice)


@pytest.mark.req("R-7.1-retried-once")
def test_a_deferred_message_arrives_once_when_the_server_is_back(
    world: Sim, alice: str, request: pytest.FixtureRequest
) -> None:
    """A real MTA that was told 4xx tries again after the outage, and the message is there exactly once."""
    message = make("postmaster@example.org", [alice])
    world.dell.run(["docker", "stop", "mailserver-postfix"])
    try:
        queue_id = world.sender.sendmail(message.content, "postmaster@example.org", [alice])
        attempts = wait_for(
            "a first attempt", lambda: world.sender.attempts(queue_id), timeout=timedelta(seconds=40)
        )
        assert attempts[0].status == "deferred"
    finally:
        world.dell.run(["docker", "start", "mailserver-postfix"])
    world.gateway.recovered()

    def retried() -> bool:
        world.sender.flush()
        return all(entry.queue_id != queue_id for entry in world.sender.queue())

    wait_for(
        "the retried message to be taken",
        retried,
        timeout=timedelta(seconds=90),
        interval=timedelta(seconds=2),
    )
    world.mailbox("imap", alice).wait_for(message.marker)
    assert world.mailbox("imap", alice).count(message.marker) == 1


@pytest.mark.req("R-4.2-tls-before-anything", "R-4.2-login-required")
def test_submission_needs_tls_and_a_login(world: Sim, deliver: Deliver, alice: str) -> None:
    """Before STARTTLS and without AUTH nothing is taken on 587, not even for a local user (F50, F60)."""
    pc = world.vantage("tailnet-pc")
    for tls in ("none", "starttls"):
        for recipient in (FOREIGN, alice):
            outcome = deliver(
                pc, world.server, 587, make(alice, [recipient]), alice, [recipient], tls=tls, ca=world.ca
            )
            assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, 530), (tls, recipient, outcome)
            assert ("auth" in outcome.extensions) is (tls == "starttls"), (tls, outcome)
    known = deliver(
        pc, world.server, 587, make(alice, [alice]), alice, [alice],
        tls="starttls", auth=(alice, world.passwords[alice]), ca=world.ca,
    )  # fmt: skip
    assert known.accepted, known
