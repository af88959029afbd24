"""Reading how long a message took, and saying it in two numbers."""

import pytest

from fixtures.mail.latency import Journey, after_acceptance, percentile, summary

pytestmark = pytest.mark.req("R-7.1-latency")

LOG = """\
Nov 28 22:55:52 plain postfix/lmtp[183]: 551B25325D2: to=<a@example.net>, relay=127.0.0.1[127.0.0.1]:24, \
delay=0.15, delays=0.1/0.01/0.02/0.03, dsn=2.0.0, status=sent (250 2.0.0 <a@example.net> Saved)
Nov 28 22:55:53 plain postfix/lmtp[183]: 551B25325D3: to=<a@example.net>, relay=127.0.0.1[127.0.0.1]:24, \
delay=0.1, delays=0.07/0.01/0/0.02, dsn=4.3.0, status=deferred (host said: 451 4.3.0 status=sent later)
"""


def test_only_what_was_delivered_counts() -> None:
    """Queue on its own, connecting and sending together; a deferred message has not arrived."""
    [(queue_id, (queue, mailbox))] = after_acceptance(LOG).items()
    assert (queue_id, queue, round(mailbox, 6)) == ("551B25325D2", 0.01, 0.05)


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [
        (1, 0.5, 1),
        (2, 0.5, 1),
        (3, 0.5, 2),
        (100, 0.5, 50),
        (100, 0.99, 99),
        (101, 0.99, 100),
        (40, 0.99, 40),
    ],
)
def test_percentiles_are_values_that_occurred(count: int, share: float, expected: int) -> None:
    """The nearest rank, of values that came in any order."""
    assert percentile([float(value) for value in range(count, 0, -1)], share) == expected


def test_no_values_have_no_percentile() -> None:
    """Nothing measured is an error, not a zero."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_the_whole_is_the_sum_of_its_hops() -> None:
    """Each hop has both numbers, and the total is that of each message, not the sum of the hops' medians."""
    slow, quick = Journey(1.0, 0.0, 0.5), Journey(0.25, 0.5, 0.25)
    assert summary([slow, quick]) == {
        "session": (0.25, 1.0), "queue": (0.0, 0.5), "mailbox": (0.25, 0.5), "total": (1.0, 1.5),
    }  # fmt: skip
