"""The ledger's checker finds each kind of fault when it is fed one, and nothing else."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.mail.ledger import End, Entry
from fixtures.mail.ledger_check import check
from fixtures.mail.ledger_found import Found
from fixtures.mail.outcome import Verdict
from tests.meta.ledger_cases import (
    ANN,
    BEN,
    DOMAINS,
    FAR,
    PAL,
    STRANGER,
    Story,
    accepted,
    arrived,
    lies,
    notice,
    stories,
    told,
)

pytestmark = pytest.mark.req("R-0-ledger-finds-faults")


def kinds(entry: Entry, *finds: list[Found]) -> list[str]:
    """The faults of one message, by kind."""
    return [fault.kind for fault in check([entry], [found for group in finds for found in group], DOMAINS)]


def test_a_clean_ledger_balances() -> None:
    """Accepted and there, refused and not there, deferred and not there, unknown and either: no fault."""
    one, message = accepted(ANN, BEN, PAL, FAR)
    perhaps, second = told({ANN: [Verdict.UNKNOWN]})
    gone, _ = told({ANN: [Verdict.REFUSED], PAL: [Verdict.DEFERRED]})
    retried, third = told({ANN: [Verdict.DEFERRED, Verdict.REFUSED, Verdict.ACCEPTED]})
    finds = [*arrived(message, ANN, BEN, PAL, FAR), *arrived(third, ANN)]
    assert check([one, perhaps, gone, retried], finds, DOMAINS) == []
    assert check([one, perhaps, gone, retried], [*finds, *arrived(second, ANN)], DOMAINS) == []


@pytest.mark.parametrize("recipient", [ANN, PAL, FAR])
def test_lost_and_duplicated(recipient: str) -> None:
    """Accepted: nowhere is lost, twice is duplicated; each fault says everything about the message."""
    entry, message = accepted(recipient)
    entry.spec = "tests/e2e/test_x.py::test_y"
    (fault,) = check([entry], [], DOMAINS)
    assert (fault.kind, fault.marker) == ("lost", message.marker)
    for part in ("lost", message.marker, ANN, recipient, "accepted: so", "nowhere", entry.spec):
        assert part in fault.text
    assert kinds(entry, arrived(message, recipient), arrived(message, recipient)) == ["duplicated"]


def test_a_connection_lost_after_the_final_dot_owes_at_most_one_more() -> None:
    """Unknown is zero or one copy, unknown and then accepted one or two; more is duplicated."""
    perhaps, message = told({ANN: [Verdict.UNKNOWN]})
    assert kinds(perhaps, *[arrived(message, ANN)] * 2) == ["duplicated"]
    again, second = told({ANN: [Verdict.UNKNOWN, Verdict.ACCEPTED]})
    assert kinds(again, *[arrived(second, ANN)] * 2) == []
    assert kinds(again, *[arrived(second, ANN)] * 3) == ["duplicated"]
    assert kinds(again) == ["lost"]


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.DEFERRED])
@pytest.mark.parametrize("kind", ["mailbox", "queue"])
def test_resurrected(verdict: Verdict, kind: str) -> None:
    """Not taken at the sender, and yet there: for its recipient, for anybody, or as a notice about it."""
    entry, message = told({ANN: [verdict]}, sender=STRANGER)
    assert kinds(entry) == []
    assert kinds(entry, lies(kind, message, ANN)) == ["resurrected"]  # type: ignore[arg-type]
    assert kinds(entry, lies(kind, message, BEN)) == ["resurrected"]  # type: ignore[arg-type]
    assert kinds(entry, lies("foreign", message, PAL)) == ["resurrected"]
    assert kinds(entry, notice(message, ANN, [ANN])) == ["resurrected"]


def test_a_notice_of_what_was_refused_is_backscatter() -> None:
    """Also in its author's own mailbox, and on its way; on its way for what was taken it is no fault."""
    refused, message = told({BEN: [Verdict.REFUSED]}, sender=ANN)
    taken, other = accepted(BEN, sender=ANN)
    assert kinds(refused, notice(message, ANN, [BEN])) == ["resurrected"]
    for kind in ("queue", "sendgrid"):
        on_its_way = [replace(found, kind=kind) for found in notice(message, ANN, [BEN])]
        assert kinds(refused, on_its_way) == ["resurrected"]
        late = [replace(found, kind=kind) for found in notice(other, ANN, [BEN], "delayed")]
        assert kinds(taken, late, arrived(other, BEN)) == []


def test_one_recipient_refused_and_another_accepted() -> None:
    """Each has his own fate: the copy of the refused one is a fault beside the good one."""
    entry, message = told({ANN: [Verdict.REFUSED], BEN: [Verdict.ACCEPTED]})
    assert kinds(entry, arrived(message, BEN)) == []
    assert kinds(entry, arrived(message, BEN), arrived(message, ANN)) == ["resurrected"]
    assert kinds(entry, arrived(message, ANN)) == ["resurrected", "lost"]


def test_misdelivered() -> None:
    """In the mailbox of nobody it was addressed to, at SendGrid though it is local, a notice for another."""
    entry, message = accepted(ANN)
    good = arrived(message, ANN)
    assert kinds(entry, good, lies("mailbox", message, BEN)) == ["misdelivered"]
    assert kinds(entry, good, lies("foreign", message, PAL)) == ["misdelivered"]
    assert kinds(entry, good, lies("sendgrid", message, ANN)) == ["misdelivered"]
    assert kinds(entry, good, notice(message, BEN, [ANN])) == ["misdelivered"]
    assert kinds(entry, lies("mailbox", message, BEN)) == ["misdelivered", "lost"]


def test_altered_names_the_parts() -> None:
    """Body or an author's header not as sent, wherever the copy lies; trace and folding may come."""
    entry, message = accepted(PAL)
    worse = message.content.replace(b"kind regards", b"unkind regards").replace(
        b"Subject: ", b"Subject: SPAM "
    )
    finds = lies("sendgrid", message, PAL) + lies("foreign", message, PAL, content=worse)
    (fault,) = check([entry], finds, DOMAINS)
    assert fault.kind == "altered"
    assert "subject, (body) changed in foreign host, pal@example.net" in fault.text


def test_astray() -> None:
    """Accounted for, but not where it must end; where the entry says so, it is."""
    entry, message = accepted(ANN, sender=BEN)
    waiting, returned = lies("queue", message, ANN), notice(message, BEN, [ANN])
    for elsewhere in (waiting, returned):
        assert kinds(entry, elsewhere) == ["astray"]
        assert kinds(entry, arrived(message, ANN), elsewhere) == ["duplicated"]
    ends: list[tuple[End, list[Found]]] = [("queue", waiting), ("dsn", returned)]
    for end, right in ends:
        entry.ends[ANN] = end
        assert kinds(entry, right) == []
        assert kinds(entry, arrived(message, ANN)) == ["astray"]
        assert kinds(entry) == ["lost"]
    entry.ends[ANN] = "nowhere"
    assert kinds(entry) == []
    assert kinds(entry, arrived(message, ANN)) == ["resurrected"]


def test_foreign_mail_goes_by_sendgrid() -> None:
    """Taken by SendGrid alone it has not arrived; arrived without SendGrid it has gone another way."""
    entry, message = accepted(PAL)
    assert kinds(entry, lies("sendgrid", message, PAL)) == ["astray"]
    assert kinds(entry, lies("foreign", message, PAL)) == ["astray"]
    entry.ends[PAL] = "sendgrid"
    assert kinds(entry, lies("sendgrid", message, PAL)) == []


def test_what_the_author_keeps_is_no_delivery() -> None:
    """His Sent folder, the queue of his own host and that host's notice are his; another's Sent is not."""
    entry, message = told({BEN: [Verdict.REFUSED]}, sender=ANN)
    kept = [Found("mailbox", ANN, message.marker, folder="Sent")]
    waits = [Found("queue", "sender", message.marker, recipients=(BEN,))]
    assert kinds(entry, kept, waits) == []
    assert kinds(entry, [Found("mailbox", BEN, message.marker, folder="Sent")]) == ["resurrected"]
    entry.follow = lambda: entry.handovers
    assert kinds(entry, notice(message, ANN, [BEN])) == []
    assert kinds(entry, arrived(message, BEN)) == ["resurrected"]


def test_two_names_of_one_mailbox_are_two_copies() -> None:
    """alice and alice+shop are one mailbox with two copies owed; letter case makes no difference."""
    entry, message = accepted(ANN, "Ann+shop@A.example.org")
    assert kinds(entry, *[arrived(message, ANN)] * 2) == []
    assert kinds(entry, arrived(message, ANN)) == ["lost"]


def test_former_runs_do_not_matter() -> None:
    """Copies of messages that this run has not sent are nobody's fault."""
    _, former = accepted(ANN)
    entry, message = accepted(BEN)
    assert kinds(entry, arrived(message, BEN), *[arrived(former, ANN)] * 2) == []


@given(told_stories=st.lists(stories(), max_size=4), order=st.randoms())
def test_exactly_the_faults_that_were_put_in_are_reported(told_stories: list[Story], order: Random) -> None:
    """For any messages, fates and finds in any order: no fault is missed, none is invented."""
    entries = [entry for entry, _, _ in told_stories]
    finds = [found for _, of_one, _ in told_stories for found in of_one]
    order.shuffle(finds)
    expected = sum((faults for _, _, faults in told_stories), Counter())
    assert Counter((fault.kind, fault.marker) for fault in check(entries, finds, DOMAINS)) == expected
