"""SMTP smuggling: servers that disagree about where a message ends make one message into two."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from fixtures.mail.ledger import Handover
from fixtures.mail.ledger_content import BODY, marker_of
from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Outcome, Reply, Verdict
from fixtures.probe.door import plain
from fixtures.probe.lines import Lines, Spot, expect, smtp
from fixtures.targets.sim import Sim
from tests.e2e.conftest import STRANGER

FOREIGN = "friend@example.net"
ENDS: Mapping[str, bytes] = {
    "LF . LF": b"\n.\n", "LF . CRLF": b"\n.\r\n", "LF . CR": b"\n.\r", "CR . CR": b"\r.\r",
    "CR . LF": b"\r.\n", "CR . CRLF": b"\r.\r\n", "CRLF . LF": b"\r\n.\n", "CRLF . CR": b"\r\n.\r",
    "CRLF . CRCRLF": b"\r\n.\r\r\n", "CRCRLF . CRCRLF": b"\r\r\n.\r\r\n", "NUL": b"\r\n\0.\r\n",
}  # fmt: skip
"""What some server takes for the end of a message, and RFC 5321 (section 4.1.1.4) does not."""


@dataclass(frozen=True)
class Hop:
    """A way into the system: a session with it, and whose message for whom it is."""

    world: Sim
    open: Callable[[], Lines]
    sender: str
    recipient: str

    def begin(self, lines: Lines) -> None:
        """Go on to where the message's text is awaited."""
        for command, code in (
            (f"MAIL FROM:<{self.sender}>", 250), (f"RCPT TO:<{self.recipient}>", 250), ("DATA", 354),
        ):  # fmt: skip
            expect(lines.say(command), code)

    def smuggle(self, end: bytes) -> tuple[Message, Message]:
        """Send a message with another one hidden in it behind ``end``; returns both.

        The ledger has the outer one with whatever came of it, and the inner one as never taken.
        """
        outer, inner = (make(self.sender, [self.recipient]) for _ in range(2))
        ledger = self.world.ledger
        never = ledger.enter(inner, self.sender, [self.recipient])
        never.handovers = [Handover(self.recipient, Verdict.REFUSED, "was never offered as a message")]
        hidden = f"MAIL FROM:<{self.sender}>\r\nRCPT TO:<{self.recipient}>\r\nDATA\r\n".encode()

        def act() -> Outcome:
            with self.open() as lines:
                self.begin(lines)
                lines.send(outer.content.rstrip(b"\r\n") + end + hidden + inner.content + b".\r\n")
                return _outcome(lines.reply())

        outcome = ledger.hand_over(outer, self.sender, [self.recipient], act)
        assert outcome.verdict in (Verdict.ACCEPTED, Verdict.REFUSED), outcome
        # Where its text ends is what this is about: the body is not compared.
        entry = ledger.enter(outer, self.sender, [self.recipient])
        entry.fingerprint = {name: value for name, value in entry.fingerprint.items() if name != BODY}
        return outer, inner

    def two(self) -> tuple[Message, Message]:
        """The control: the same two messages in one session, each ended as the RFC says."""
        both = make(self.sender, [self.recipient]), make(self.sender, [self.recipient])

        def send(lines: Lines, message: Message) -> Outcome:
            self.begin(lines)
            lines.send(message.content + b".\r\n")
            return _outcome(lines.reply())

        with self.open() as lines:
            for message in both:
                act = partial(send, lines, message)
                outcome = self.world.ledger.hand_over(message, self.sender, [self.recipient], act)
                assert outcome.accepted, outcome
        return both

    def arrived(self, marker: str) -> list[bytes]:
        """Every message at the recipient's that contains the marker; waits for a first one."""
        if self.recipient == FOREIGN:
            self.world.receiver.wait_for_message(FOREIGN, marker)
            return [kept for kept in self.world.receiver.inbox(FOREIGN) if marker.encode() in kept]
        mailbox = self.world.mailbox("imap", self.recipient)
        first = mailbox.wait_for(marker)
        assert mailbox.count(marker) == 1
        return [first]


def _outcome(reply: Reply) -> Outcome:
    return Outcome(Verdict.UNKNOWN if reply.code == -1 else reply.verdict, "data", reply)


@pytest.fixture(params=["gateway", "submission"])
def hop(request: pytest.FixtureRequest, world: Sim, alice: str) -> Hop:
    """From the Internet over gateway and tunnel to the Dell; from a user over the Dell to SendGrid."""
    if request.param == "gateway":
        mx = Spot(world.vantage("internet-host"), world.site.mail.mx_hostname, world.ssl_context)
        return Hop(world, lambda: smtp(mx, 25), STRANGER, alice)
    pc = Spot(world.vantage("tailnet-pc"), world.server, world.ssl_context)
    login = plain(alice, world.passwords[alice])
    return Hop(world, lambda: smtp(pc, 587, tls=True, login=login), alice, FOREIGN)


def _identities(found: Iterable[bytes]) -> list[str | None]:
    return [marker_of(content) for content in found]


@pytest.mark.req("R-4.2-no-smuggling")
def test_one_message_stays_one(hop: Hop) -> None:
    """Whatever looks like an end of data and is none: what stands behind it is text, not a message.

    The control: two messages in a session of the same shape are two.
    """
    with ThreadPoolExecutor(len(ENDS) + 1) as pool:
        control = pool.submit(hop.two)
        sent = dict(zip(ENDS, pool.map(hop.smuggle, ENDS.values()), strict=True))
    for message in control.result():
        assert _identities(hop.arrived(message.marker)) == [message.marker]
    for end, (outer, inner) in sent.items():
        assert _identities(hop.arrived(outer.marker)) == [outer.marker], end
        assert _identities(hop.arrived(inner.marker)) == [outer.marker], end


@pytest.mark.req("R-4.2-no-smuggling")
def test_who_does_not_wait_is_cut_off(hop: Hop) -> None:
    """A client that sends its message without waiting for 354, as smuggled ones come, is refused."""
    message = make(hop.sender, [hop.recipient])

    def act() -> Outcome:
        with hop.open() as lines:
            expect(lines.say(f"MAIL FROM:<{hop.sender}>"), 250)
            expect(lines.say(f"RCPT TO:<{hop.recipient}>"), 250)
            lines.send(b"DATA\r\n" + message.content + b".\r\n")
            return _outcome(lines.reply())

    outcome = hop.world.ledger.hand_over(message, hop.sender, [hop.recipient], act)
    assert (outcome.code, outcome.text) == (554, "5.5.0 Error: SMTP protocol synchronization"), outcome
