"""The sender that keeps sending is as stubborn as an MTA, and as honest."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Outcome, Reply, Verdict
from fixtures.mail.stream import Stream
from fixtures.wait import WaitTimeoutError, wait_for

pytestmark = pytest.mark.req("R-0-stream")

SOON = timedelta(seconds=10)


def letter() -> Message:
    """A message."""
    return make("a@example.org", ["b@example.net"])


def said(verdict: Verdict, code: int = 250) -> Outcome:
    """What an attempt came to."""
    return Outcome(verdict, "data", Reply(code, ""))


def stream(hand_over: Callable[[Message], Outcome], patience: timedelta = SOON) -> Stream:
    """A quick one."""
    return Stream(letter, hand_over, every=timedelta(milliseconds=5), patience=patience)


def test_what_was_put_off_is_tried_until_it_is_taken() -> None:
    """Deferred, lost after the dot, taken: three attempts of the first message, one of each other."""
    answers: Iterator[Outcome] = iter([said(Verdict.DEFERRED, 450), said(Verdict.UNKNOWN, -1)])
    found = stream(lambda _: next(answers, said(Verdict.ACCEPTED)))
    with found:
        wait_for("some to be taken", lambda: found.taken, until=lambda taken: taken >= 4, timeout=SOON)
    first, *others = found.attempts.values()
    assert [outcome.verdict for outcome in first] == [Verdict.DEFERRED, Verdict.UNKNOWN, Verdict.ACCEPTED]
    assert {len(outcomes) for outcomes in others} == {1}


def test_a_refusal_is_final() -> None:
    """5xx is the sender's to bounce: nobody tries it again."""
    found = stream(lambda _: said(Verdict.REFUSED, 554))
    with found:
        wait_for("two messages", lambda: len(found.attempts), until=lambda n: n >= 2, timeout=SOON)
    assert {len(outcomes) for outcomes in found.attempts.values()} == {1}
    assert found.taken == 0


def test_leaving_with_untaken_messages_is_an_error() -> None:
    """Nobody takes a stream for complete of which something still waits."""
    with (
        pytest.raises(WaitTimeoutError, match="every deferred message"),
        stream(lambda _: said(Verdict.DEFERRED, 450), timedelta(milliseconds=50)) as found,
    ):
        wait_for("an attempt", lambda: found.attempts, timeout=SOON)


def test_an_attempt_that_breaks_is_told() -> None:
    """The thread's exception reaches whoever leaves; it does not pass for silence."""

    def broken(_: Message) -> Outcome:
        raise ConnectionError("the vantage is gone")

    found = stream(broken)
    with pytest.raises(ConnectionError, match="vantage"), found:
        wait_for("the thread to end", lambda: not found._thread.is_alive(), timeout=SOON)
