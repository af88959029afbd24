"""How long delivery takes on each hop, beside a plain pair of servers measured in between (design 7.1)."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from statistics import median

import pytest

from fixtures.mail.latency import Journey, after_acceptance, summary
from fixtures.mail.message import make
from fixtures.mail.outcome import Outcome
from fixtures.proof.recorders.latency import record_latency
from fixtures.targets.plain_pair import RECIPIENT, plain_pair
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.conftest import STRANGER, Arrive

MESSAGES = 40
FIRST = 5
"""After so many it is looked at for the first time: who is far too slow need not be waited for."""
RATIO = 30
"""So many times as long as through the pair a message may take through gateway, tailnet and scanner."""


def _timed(act: Callable[[], Outcome]) -> tuple[str, float]:
    """The queue id that an accepted message was given, and how long its sender waited for that."""
    began = time.monotonic()
    outcome = act()
    took = time.monotonic() - began
    assert outcome.accepted, outcome
    assert outcome.queue_id is not None
    return outcome.queue_id, took


def _journeys(sessions: dict[str, float], log: Callable[[], str]) -> list[Journey]:
    """All messages' hops, once the log tells of the last one."""
    delivered = wait_for(
        "every message is delivered",
        lambda: after_acceptance(log()),
        until=lambda seen: sessions.keys() <= seen.keys(),
        timeout=timedelta(seconds=30),
    )
    return [Journey(session, *delivered[queue_id]) for queue_id, session in sessions.items()]


@pytest.mark.req("R-7.1-latency")
def test_delivery_takes_no_multiple_of_a_plain_pairs_time(
    world: Sim, arrive: Arrive, bob: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """p50 and p99 of each hop are told; the median is within a generous multiple of the plain pair's."""
    ours: dict[str, float] = {}
    plain: dict[str, float] = {}
    host = world.vantage("internet-host")
    with plain_pair(world) as pair:
        for number in range(MESSAGES):
            message, other = make(STRANGER, [bob]), make(STRANGER, [RECIPIENT])
            ours.update([_timed(partial(arrive, message, [bob]))])
            plain.update([_timed(partial(pair.hand_over, host, other, STRANGER))])
            if number == FIRST:
                assert median(ours.values()) <= RATIO * median(plain.values()), (ours, plain)
        measured = {
            "the system": _journeys(
                ours, lambda: world.dell.run(["docker", "logs", "mailserver-postfix"]).stdout
            ),
            "a plain pair": _journeys(plain, pair.log),
        }
    table = {name: summary(journeys) for name, journeys in measured.items()}
    record_latency(MESSAGES, table)
    with capsys.disabled():
        for name, hops in table.items():
            words = ", ".join(f"{hop} {1000 * p50:.0f}/{1000 * p99:.0f}" for hop, (p50, p99) in hops.items())
            print(f"\nlatency of {name}, p50/p99 in ms: {words}")
    assert table["the system"]["total"][0] <= RATIO * table["a plain pair"]["total"][0], table
