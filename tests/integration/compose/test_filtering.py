"""Forged findings, block lists, greylisting and Junk, seen from Internet hosts through the real gateway."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate

import pytest

from fixtures.mail.headers import parse
from fixtures.mail.hiding import message
from fixtures.wait import wait_for
from tests.integration.compose.core import BOB, eicar
from tests.integration.compose.front import Front, Letter

FILTER = "mail.example.org"
WEEK = timedelta(days=7)
CAREFUL = "letters.example.net"
"""A sender's domain with a mail exchanger and without any policy."""


def _letter(
    subject: str, client: str, *fields: str, age: timedelta = timedelta(0), domain: str = CAREFUL
) -> Letter:
    """A plain letter of some age; its sender is nobody else's, so that no greylist knows him."""
    name = subject.replace(" ", ".")
    written = formatdate(time.time() - age.total_seconds())
    lines = [
        f"From: Writer <{name}@{domain}>", f"To: {BOB}", f"Subject: {subject}", f"Date: {written}",
        f"Message-ID: <{name}.id@{domain}>", "MIME-Version: 1.0", "Content-Type: text/plain", *fields,
        "", f"Good morning, {subject}.", "",
    ]  # fmt: skip
    return Letter("\r\n".join(lines).encode(), f"{name}@{domain}", BOB, client)


def _read(front: Front, subject: str, folder: str = "INBOX") -> EmailMessage:
    """Bob's one message of that subject, as soon as it is there."""
    [content] = wait_for(
        subject, lambda: front.core.found(BOB, subject, folder), timeout=timedelta(seconds=20)
    )
    return parse(content)


@pytest.mark.req("R-7.1-forged-results")
@pytest.mark.parametrize(
    ("way", "claimed"),
    [
        ("plain", FILTER),
        ("in capitals", FILTER.upper()),
        ("with a version", f"{FILTER} 1"),
        ("behind a comment", f"(ours) {FILTER}"),
    ],
)
def test_results_that_a_sender_claims_are_removed(front: Front, way: str, claimed: str) -> None:
    """Whoever signs results with our name is not believed (RFC 8601 5): ours alone are left."""
    subject = f"claims results {way}"
    forged = [f"Authentication-Results: {claimed}; dmarc=pass header.from=bank.example", "X-Harmless: kept"]
    assert front.post([_letter(subject, "first", *forged)])[0].code == 250
    read = _read(front, subject)
    [results] = read.get_all("Authentication-Results", [])
    assert str(results).startswith(f"{FILTER};")
    assert "bank.example" not in read.as_string()
    assert read["X-Harmless"] == "kept"


@pytest.mark.req("R-7.1-forged-results")
def test_the_mark_of_spam_cannot_be_talked_away(front: Front) -> None:
    """A sender's own "X-Spam: No" does not keep a quarantined message out of Junk."""
    front.core.names.publish(['_dmarc.marked.example.net. TXT "v=DMARC1; p=quarantine"'])
    letter = _letter("marked by its sender", "first", "X-Spam: No", domain="marked.example.net")
    assert front.post([letter])[0].code == 250
    assert _read(front, "marked by its sender", "Junk").get_all("X-Spam") == ["Yes"]


@pytest.mark.req("R-7.1-lists-and-greylist")
def test_a_listed_sender_is_known_by_its_own_address(front: Front) -> None:
    """The list is asked about the Internet host, not about the gateway (F57)."""
    letters = [_letter("from a listed host", "listed"), _letter("from a host that is not", "first")]
    assert [answer.code for answer in front.post(letters)] == [250, 250]
    listed, clean = (str(_read(front, subject)["X-Spamd-Result"]) for subject in
                     ("from a listed host", "from a host that is not"))  # fmt: skip
    assert f"RBL_SPAMHAUS_SBL(4.00)[{front.clients['listed']}:from]" in listed
    assert "SPAMHAUS" not in clean


@pytest.fixture
def greylist(front: Front) -> Iterator[Front]:
    """An empty greylist, before and after."""
    _forget(front)
    yield front
    _forget(front)


def _entries(front: Front) -> list[str]:
    return front.core.run("redis", "redis-cli", "--scan", "--pattern", "rg*").stdout.split()


def _forget(front: Front) -> None:
    for entry in _entries(front):
        front.core.run("redis", "redis-cli", "DEL", entry)


def _pass_time(front: Front, passed: timedelta) -> None:
    """What the greylist remembers happened that much earlier."""
    entries = _entries(front)
    assert entries != []
    for entry in entries:
        seen = float(front.core.run("redis", "redis-cli", "GET", entry).stdout)
        front.core.run("redis", "redis-cli", "SET", entry, str(seen - passed.total_seconds()), "KEEPTTL")


@pytest.mark.req("R-7.1-lists-and-greylist")
def test_greylisting_goes_by_the_senders_address(greylist: Front) -> None:
    """A doubtful host is taken when it comes again, and another host is not taken for it (F57)."""
    first = _letter("grey", "listed", age=WEEK)
    later = replace(first, content=first.content.replace(b"Good morning", b"Good evening"))
    other = replace(later, client="listed-elsewhere", content=first.content.replace(b"morning", b"night"))
    clean = _letter("white", "first", age=WEEK)
    assert [answer.code for answer in greylist.post([first, clean])] == [451, 250]
    [answer] = greylist.post([first])
    assert (answer.code, answer.text) == (451, "4.7.1 Try again later")
    _pass_time(greylist, timedelta(minutes=6))
    assert [answer.code for answer in greylist.post([later, other])] == [250, 451]


@pytest.mark.req("R-7.1-spam-to-junk")
def test_probable_spam_goes_to_junk(greylist: Front) -> None:
    """Between six points and fifteen, whoever comes again is delivered to Junk, marked."""
    letter = _letter("probably spam", "listed", age=WEEK, domain="careless.example.net")
    assert greylist.post([letter])[0].code == 451
    _pass_time(greylist, timedelta(minutes=6))
    assert greylist.post([letter])[0].code == 250
    assert _read(greylist, "probably spam", "Junk").get_all("X-Spam") == ["Yes"]
    assert greylist.core.found(BOB, "probably spam") == []


@pytest.mark.req("R-7.1-redis-down")
def test_without_redis_nothing_passes_unscanned(front: Front) -> None:
    """4xx or a scanned delivery, never a virus; afterwards all is well without a restart (F55)."""
    core = front.core
    virus = Letter(message("attached", eicar().encode(), f"bad@{CAREFUL}", BOB), f"bad@{CAREFUL}", BOB)
    before = core.started()
    with core.stopped("redis"):
        clean, bad = front.post([_letter("without redis", "first"), virus])
    assert clean.code == 250 or 400 <= clean.code < 500, clean
    assert bad.code == 554 or 400 <= bad.code < 500, bad
    [recovered] = front.post([_letter("with redis again", "first")])
    assert recovered.code == 250
    assert _read(front, "with redis again")["X-Spamd-Result"] is not None
    found = core.found(BOB, "without redis")
    assert len(found) == (clean.code == 250)
    assert all(b"X-Spamd-Result" in content for content in found)
    assert core.found(BOB, "Delivery attached") == []
    after = core.started()
    assert {name for name in after if after[name] != before[name]} == {"redis"}
