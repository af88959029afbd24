"""Several recipients, odd senders, loops: each gets his own outcome while the sender waits (design 7.1)."""

from collections.abc import Iterator

import pytest

from fixtures.mail.headers import parse
from fixtures.mail.intact import added
from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Verdict
from fixtures.probe.lines import Lines, Spot, smtp
from fixtures.site import load_site
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.outgoing import wait_until_delivered
from tests.e2e.reading import arrivals, copies

pytestmark = pytest.mark.req("R-7.1-mixed-recipients")

PRIMARY, *OTHERS = load_site(ROOT / "site.toml").mail.domains
ALICES = [f"alice@{domain}" for domain in (PRIMARY, *OTHERS)]


@pytest.fixture
def session(world: Sim) -> Iterator[Lines]:
    """A session with the gateway after EHLO, from an Internet host."""
    mx = Spot(world.vantage("internet-host"), world.site.mail.mx_hostname, world.ssl_context)
    with smtp(mx, 25) as lines:
        yield lines


@pytest.mark.parametrize(
    ("answers", "receivers"),
    [
        pytest.param(dict.fromkeys(ALICES, 250), ALICES, id="four-domains"),
        pytest.param(
            {
                ALICES[0]: 250,
                f"nobody@{PRIMARY}": 550,
                f"nobody@{OTHERS[0]}": 550,
                ALICES[1]: 250,
                "friend@example.net": 554,
                f"alice@sub.{PRIMARY}": 554,
                "alice": 504,
                ALICES[3]: 250,
            },
            [ALICES[0], ALICES[1], ALICES[3]],
            id="good-among-bad",
        ),
        pytest.param({f"nobody@{PRIMARY}": 550, "friend@example.net": 554}, [], id="all-bad"),
        pytest.param({f"bob@{OTHERS[0]}": 550, f"bob@{PRIMARY}": 250}, [f"bob@{PRIMARY}"], id="other-domain"),
    ],
)
def test_each_recipient_has_an_answer_of_his_own(
    world: Sim, arrive: Arrive, answers: dict[str, int], receivers: list[str]
) -> None:
    """Known, unknown and foreign in one session: who is taken has his copy, the sender hears of the rest."""
    message = make(STRANGER, receivers or ALICES)
    outcome = arrive(message, list(answers))
    assert {name: reply.code for name, reply in outcome.recipients.items()} == answers
    assert outcome.accepted is bool(receivers)
    for user in receivers:
        assert len(arrivals(world, user, [message.marker])[message.marker]) == 1
    left_out = next((user for user in ALICES if user not in receivers), None)
    assert left_out is None or copies(world, left_out, [message.marker])[message.marker] == []


def test_who_is_named_twice_gets_one_copy(world: Sim, arrive: Arrive, alice: str) -> None:
    """The same address again, in capitals too; one with a detail is another address."""
    detail = alice.replace("@", "+shop@")
    message = make(STRANGER, [alice])
    assert arrive(message, [alice, alice.upper(), alice, detail]).accepted
    arrivals(world, alice, [message.marker], number=2)
    wait_until_delivered(world, alice)
    assert len(copies(world, alice, [message.marker])[message.marker]) == 2


def test_a_notice_from_nobody_is_taken(world: Sim, arrive: Arrive, alice: str) -> None:
    """The null sender of bounces and receipts; for an unknown user it is refused like any other."""
    message = make(STRANGER, [alice])
    assert arrive(message, [alice], sender="").accepted
    [copy] = arrivals(world, alice, [message.marker])[message.marker]
    assert parse(copy)["Return-Path"] == "<>"
    outcome = arrive(make(STRANGER, [alice]), [f"nobody@{PRIMARY}"], sender="")
    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, 550), outcome


def test_nobody_orders_receipts(session: Lines, alice: str) -> None:
    """DSN is not offered and not taken: a notice of success to a stranger would be backscatter (RFC 3461)."""
    assert "DSN" not in session.say("EHLO client.example.org").text.split()
    assert session.say(f"MAIL FROM:<{STRANGER}> RET=HDRS ENVID=x").code == 501
    assert session.say(f"MAIL FROM:<{STRANGER}>").code == 250
    assert session.say(f"RCPT TO:<{alice}> NOTIFY=SUCCESS,DELAY").code == 501
    assert session.say(f"RCPT TO:<{alice}>").code == 250


def with_fields(message: Message, fields: bytes) -> Message:
    """The message with header lines on top, as other servers put them there."""
    return Message(message.marker, message.message_id, fields + message.content)


@pytest.mark.parametrize(("passed", "code"), [(47, 250), (48, 554)])
def test_what_has_passed_too_many_servers_is_in_a_loop(
    world: Sim, arrive: Arrive, alice: str, passed: int, code: int
) -> None:
    """At the fiftieth server, gateway and Dell counted, it is refused; the one before still delivers."""
    hop = b"Received: from a.example.org by b.example.org; Thu, 1 Oct 2026 10:00:00 +0000\r\n"
    message = with_fields(make(STRANGER, [alice]), hop * passed)
    outcome = arrive(message, [alice])
    assert (outcome.phase, outcome.code) == ("data", code), outcome
    assert (code == 250) or "too many hops" in outcome.text


def test_a_forged_trace_of_delivery_stops_nothing(world: Sim, arrive: Arrive, alice: str) -> None:
    """Delivered-To of this very user, as a forwarded message has it, is no reason to refuse or to drop it."""
    message = with_fields(make(STRANGER, [alice]), f"Delivered-To: {alice}\r\n".encode())
    assert arrive(message, [alice]).accepted
    [copy] = arrivals(world, alice, [message.marker])[message.marker]
    assert "delivered-to" in added(message.content, copy)
    assert parse(copy).get_all("Delivered-To") == [alice, alice]
