"""What is entered into the ledger, what that makes the world owe, and how a report shows it."""

import pytest

from fixtures.mail.ledger import Entry, Handover, Ledger, handovers
from fixtures.mail.ledger_check import check
from fixtures.mail.ledger_found import Found, recognised
from fixtures.mail.ledger_owed import Domains, Owed, owed
from fixtures.mail.ledger_rows import rows
from fixtures.mail.message import make
from fixtures.mail.outcome import Outcome, Reply, Verdict

pytestmark = pytest.mark.req("R-0-ledger-finds-faults")

ANN, PAL, STRANGER = "ann@a.example.org", "pal@example.net", "stranger@hosts.example.org"
DOMAINS = Domains({"a.example.org"}, {"example.net"})
ALL = (Verdict.ACCEPTED, Verdict.REFUSED, Verdict.DEFERRED, Verdict.UNKNOWN)


def test_each_recipient_has_the_reply_that_decided_for_him() -> None:
    """Refused at RCPT is refused; who was taken there shares what came after the final dot."""
    at_rcpt = {ANN: Reply(550, "no such user"), PAL: Reply(250, "Ok")}
    taken = Outcome(Verdict.ACCEPTED, "data", Reply(250, "Ok: queued as 4F2A"), at_rcpt)
    assert handovers(taken, [ANN, PAL]) == [
        Handover(ANN, Verdict.REFUSED, "550 no such user"),
        Handover(PAL, Verdict.ACCEPTED, "250 Ok: queued as 4F2A", "4F2A"),
    ]
    cut = Outcome(Verdict.UNKNOWN, "data", Reply(-1, "connection lost"), at_rcpt)
    assert [made.verdict for made in handovers(cut, [ANN, PAL])] == [Verdict.REFUSED, Verdict.UNKNOWN]
    early = Outcome(Verdict.DEFERRED, "rcpt", Reply(-1, "connection lost"), {ANN: Reply(250, "Ok")})
    assert [made.verdict for made in handovers(early, [ANN, PAL])] == [Verdict.DEFERRED] * 2


def test_who_is_named_twice_is_owed_one_copy() -> None:
    """In one session, in whatever case; an address with a detail is another one."""
    ledger = Ledger()
    detail, again = "ann+shop@a.example.org", ANN.upper()
    taken = Outcome(Verdict.ACCEPTED, "data", Reply(250, "Ok"))
    ledger.hand_over(make(STRANGER, [ANN]), STRANGER, [ANN, again, ANN, detail], lambda: taken)
    (entry,) = ledger.entries
    assert [made.recipient for made in entry.handovers] == [ANN, detail]
    assert owed(entry, DOMAINS) == {ANN: Owed(2, 2, ("mailbox",), "mailbox")}


def test_a_message_is_entered_once_and_under_its_spec() -> None:
    """Sent again, also to others, it keeps its entry; without a marker it is not taken at all."""
    ledger = Ledger()
    ledger.spec = "a::b"
    message = make(STRANGER, [ANN])
    first = ledger.enter(message, STRANGER, [ANN])
    ledger.spec = "c::d"
    assert ledger.enter(message.content, STRANGER, [ANN, PAL]) is first
    assert (first.message_id, first.recipients, first.spec) == (message.message_id, (ANN, PAL), "a::b")
    assert (ledger.of("a::b"), ledger.of("c::d")) == ([first], [])
    with pytest.raises(ValueError, match="without a marker"):
        ledger.enter(b"Subject: x\r\n\r\ny\r\n", STRANGER, [ANN])


def test_a_handover_that_raises_may_have_succeeded() -> None:
    """The exception goes on, and the message may be there once or not."""
    ledger = Ledger()

    def fail() -> Outcome:
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        ledger.hand_over(make(STRANGER, [ANN]), STRANGER, [ANN], fail)
    assert owed(ledger.entries[0], DOMAINS) == {ANN: Owed(0, 1, ("mailbox",), "mailbox")}


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (ALL, Verdict.ACCEPTED),
        (ALL[1:], Verdict.UNKNOWN),
        (ALL[1:3], Verdict.DEFERRED),
        (ALL[1:2], Verdict.REFUSED),
        ((), Verdict.DEFERRED),
    ],
)
def test_the_outcome_as_a_whole(verdicts: tuple[Verdict, ...], whole: Verdict) -> None:
    """Whoever took it for anybody has it; a message that was never tried is still its sender's."""
    entry = Ledger().enter(make(STRANGER, [ANN]), STRANGER, [ANN])
    entry.handovers = [Handover(ANN, verdict, "") for verdict in verdicts]
    assert entry.outcome is whole


def test_an_expectation_needs_its_message() -> None:
    """An end can be named for a recipient of a message that was entered, and for nobody else."""
    ledger = Ledger()
    message = make(STRANGER, [ANN])
    ledger.hand_over(message, STRANGER, [ANN], lambda: Outcome(Verdict.ACCEPTED, "data", Reply(250, "Ok")))
    ledger.expect(message.marker, ANN, "queue")
    assert str(owed(ledger.entries[0], DOMAINS)[ANN]) == "queue 1x"
    for marker, recipient in ((message.marker, PAL), ("mark0", ANN)):
        with pytest.raises(LookupError, match="the ledger has no message"):
            ledger.expect(marker, recipient, "queue")


def test_letter_case_of_addresses_does_not_matter() -> None:
    """A mailbox is named in lower case, whoever names it."""
    (found,) = recognised(
        "foreign", "Pal@Example.net", make(ANN, [PAL]).content, recipients=["X@Example.org"]
    )
    assert (found.holder, found.recipients) == (PAL, ("x@example.org",))


def test_a_hop_that_names_nobody_is_a_hop() -> None:
    """A Received header that makes no sense has no names, no time and no id, and spoils no report."""
    entry = Ledger().enter(make(ANN, [PAL]), ANN, [PAL])
    finds = [Found("foreign", PAL, entry.marker, content=b"Received: nonsense\r\n\r\nx\r\n")]
    (row,) = rows([entry], finds, [], DOMAINS)["messages"]
    assert row["hops"] == [{"by": "", "from": None, "at": None, "queue_id": None}]


def _two_messages() -> tuple[list[Entry], list[Found]]:
    ledger = Ledger()
    message = make(ANN, [PAL])
    taken = Outcome(Verdict.ACCEPTED, "data", Reply(250, "Ok: queued as 4F2A"), {PAL: Reply(250, "Ok")})
    ledger.hand_over(message, ANN, [PAL], lambda: taken)
    ledger.hand_over(make(ANN, [PAL]), ANN, [PAL], lambda: Outcome(Verdict.REFUSED, "rcpt", Reply(554, "no")))
    trace = (
        b"Received: from a.example.org (a.example.org [198.18.0.9]) by b.example.net with ESMTP id B2;\r\n"
        b" Mon, 23 Nov 2026 23:45:28 +0900\r\nReceived: from pc by a.example.org with ESMTPSA id A1; soon\r\n"
    )
    finds = recognised("foreign", PAL, trace + message.content)
    finds += recognised("sendgrid", "1", message.content, recipients=[PAL])
    finds += recognised("queue", "server", message.content, recipients=[PAL], exact=False)
    return ledger.entries, finds


def test_rows_are_in_the_reports_shape() -> None:
    """Totals, faults and one row a message, with its way from hop to hop, the first one first."""
    entries, finds = _two_messages()
    foreign = make(STRANGER, [ANN])
    finds += recognised("mailbox", ANN, foreign.content)
    shape = rows(entries, finds, check(entries, finds, DOMAINS), DOMAINS)
    assert shape["totals"] == {
        "sent": 2, "accepted": 1, "refused": 1, "deferred": 0, "unknown": 0,
        "delivered": 1, "queued": 1, "dsn": 0,
    }  # fmt: skip
    assert [(fault["kind"], fault["marker"]) for fault in shape["faults"]] == [
        ("duplicated", entries[0].marker)
    ]
    first, second = shape["messages"]
    assert (first["outcome"], first["queue_id"], first["expected"]) == (
        "accepted",
        "4F2A",
        f"{PAL}: foreign 1x",
    )
    assert first["replies"] == [f"{PAL}: 250 Ok: queued as 4F2A"]
    assert first["found"] == [
        f"foreign host, {PAL}", f"SendGrid, for {PAL}", f"queue of server, for {PAL}",
    ]  # fmt: skip
    assert first["hops"] == [
        {"by": "a.example.org", "from": "pc", "at": None, "queue_id": "A1"},
        {"by": "b.example.net", "from": "198.18.0.9", "at": "2026-11-23T23:45:28+09:00", "queue_id": "B2"},
    ]
    assert (second["outcome"], second["expected"], second["found"]) == ("refused", f"{PAL}: nowhere", [])
    assert second["hops"] == []
