"""A hundred sessions at once, slow and broken ones among them, and replies that get lost (design 7.1)."""

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic

import pytest

from fixtures.mail.ledger_check import check
from fixtures.mail.ledger_found import recognised
from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Outcome, Reply, Verdict
from fixtures.probe.lines import Lines, Spot, smtp
from fixtures.site import load_site
from fixtures.targets.books import domains
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world.images import ROOT
from tests.e2e import odd_senders
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.outgoing import wait_until_delivered
from tests.e2e.reading import arrivals, copies

USERS = [f"alice@{domain}" for domain in load_site(ROOT / "site.toml").mail.domains]
PLACES = ("internet-host", "internet-host-2")
ODDLY: Mapping[str, Callable[[Lines, Message, str], Reply]] = {
    "slow": odd_senders.slow,
    "pipelined": odd_senders.pipelined,
    "chunked": odd_senders.chunked,
    "broken": odd_senders.broken,
    "silent": odd_senders.silent,
}
GONE = ("broken", "silent")
KINDS = [*["normal"] * 60, *[kind for kind in ODDLY for _ in range(8)]]
LIMIT = timedelta(seconds=90)
"""For all of them on a busy machine; an idle one needs ten seconds."""


def open_session(world: Sim, place: str) -> Lines:
    """A session with the MX host, as soon as it has room for one more from there."""
    mx = Spot(world.vantage(place), world.site.mail.mx_hostname, world.ssl_context)
    return wait_for("a session", lambda: smtp(mx, 25), until=lambda _: True, timeout=LIMIT)


@pytest.mark.req("R-7.1-parallel")
def test_a_hundred_sessions_lose_and_double_nothing(world: Sim, arrive: Arrive) -> None:
    """From two hosts to four domains: who is put off comes again, who breaks off leaves nothing behind."""

    def oddly(kind: str, message: Message, user: str, place: str) -> Outcome:
        def act() -> Outcome:
            reply = ODDLY[kind](lines, message, user)
            return Outcome(reply.verdict, "data", reply)

        with open_session(world, place) as lines:
            return world.ledger.hand_over(message, STRANGER, [user], act)

    def normally(message: Message, user: str, place: str) -> Outcome:
        return wait_for(
            f"message {message.marker} to be taken",
            lambda: arrive(message, [user], place=place),
            until=lambda outcome: outcome.verdict is not Verdict.DEFERRED,
            timeout=LIMIT,
        )

    def send(number: int) -> tuple[str, str, str, Outcome]:
        kind, user, place = KINDS[number], USERS[number % 4], PLACES[number // 4 % 2]
        message = make(STRANGER, [user], body="A line of text.\n" * 40)
        act = normally(message, user, place) if kind == "normal" else oddly(kind, message, user, place)
        return kind, user, message.marker, act

    started = monotonic()
    with ThreadPoolExecutor(len(KINDS)) as pool:
        sent = list(pool.map(send, range(len(KINDS))))
    assert monotonic() - started < LIMIT.total_seconds()
    assert Counter(kind for kind, *_, outcome in sent if outcome.accepted) == Counter(
        kind for kind in KINDS if kind not in GONE
    )
    for user in USERS:
        mine = {marker: kind for kind, whose, marker, _ in sent if whose == user}
        arrivals(world, user, [marker for marker, kind in mine.items() if kind not in GONE])
        wait_until_delivered(world, user)
        found = copies(world, user, mine)
        assert {marker: len(found[marker]) for marker in mine} == {
            marker: int(kind not in GONE) for marker, kind in mine.items()
        }


@pytest.mark.req("R-7.1-lost-reply")
@pytest.mark.parametrize("hangs_up", ["at-once", "when-taken"])
def test_a_lost_reply_costs_one_duplicate_at_most(
    world: Sim, arrive: Arrive, alice: str, hangs_up: str
) -> None:
    """Gone before the last reply, a sender tries again: one copy or two, and no third by the ledger."""
    message = make(STRANGER, [alice])

    def act() -> Outcome:
        with open_session(world, PLACES[0]) as lines:
            odd_senders.begin(lines, alice)
            lines.send(message.content + b".\r\n")
            if hangs_up == "when-taken":
                arrivals(world, alice, [message.marker])
        return Outcome(Verdict.UNKNOWN, "data", Reply(-1, "gone before the reply"))

    assert world.ledger.hand_over(message, STRANGER, [alice], act).verdict is Verdict.UNKNOWN
    assert arrive(message, [alice]).accepted
    arrivals(world, alice, [message.marker])
    wait_until_delivered(world, alice)
    found = copies(world, alice, [message.marker])[message.marker]
    assert len(found) == 2 if hangs_up == "when-taken" else len(found) in (1, 2)
    entry = world.ledger.enter(message, STRANGER, [alice])
    for copies_of_it, faults in ((0, ["lost"]), (1, []), (2, []), (3, ["duplicated"])):
        finds = recognised("mailbox", alice, found[0]) * copies_of_it
        assert [fault.kind for fault in check([entry], finds, domains(world))] == faults
