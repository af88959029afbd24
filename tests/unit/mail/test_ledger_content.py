"""What identifies a message, and what of it may not change."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.mail.ledger_content import changed, failed_recipients, fingerprint, marker_of
from fixtures.mail.message import japanese, make

pytestmark = pytest.mark.req("R-0-ledger-finds-faults")

MARK = "mark" + "0123456789abcdef" * 2
OTHER = "mark" + "f" * 32
SENT = (
    b"From: a@example.org\r\nSubject: one\r\n two\r\nReceived: from c by d\r\nBcc: x@example.org\r\n"
    b"Delivered-To: a@example.net\r\nX-Spam: No\r\n\r\nbody\r\nis this\r\n"
)


@pytest.mark.parametrize(
    ("content", "marker"),
    [
        (f"Message-ID: <{MARK}@x>\n\n{OTHER}\n", MARK),
        (f"Subject: {OTHER}\nMessage-ID:\n <{MARK}@x>\n\n", MARK),
        (f"Message-ID: <1@x>\n\nIn reply to {OTHER}\n", OTHER),
        (f"Subject: =?utf-8?b?{base64.b64encode(MARK.encode()).decode()}?=\n\nx\n", MARK),
        (f"Content-Transfer-Encoding: base64\n\n{base64.b64encode(MARK.encode()).decode()}\n", MARK),
        ("Message-ID: <1@x>\n\nmark me\n", None),
        ("", None),
    ],
)
def test_the_marker_is_found_where_it_is(content: str, marker: str | None) -> None:
    """The Message-ID's comes first; without one, any place counts, encoded or not."""
    assert marker_of(content.encode()) == marker


@pytest.mark.parametrize("kind", [make, japanese])
def test_every_message_made_here_has_its_own(kind: object) -> None:
    """The marker that a message was made with is the one that is read from it."""
    assert callable(kind)
    message = kind("a@example.org", ["b@example.net"])
    assert marker_of(message.content) == message.marker


@pytest.mark.parametrize(
    "arrived",
    [
        SENT,
        SENT.replace(b"\r\n", b"\n"),
        SENT.replace(b"one\r\n two", b"one two"),
        b"Return-Path: <x@y>\r\nDelivered-To: x@example.org\r\nReceived: from e by f\r\n"
        b"DKIM-Signature: v=1\r\nX-Rspamd-Server: x\r\n" + SENT,
        SENT.replace(b"Bcc: x@example.org\r\n", b"").replace(b"X-Spam: No", b"X-Spam: Yes"),
        SENT.replace(b"Subject", b"SUBJECT"),
    ],
)
def test_what_hops_may_do_is_no_change(arrived: bytes) -> None:
    """Line ends, folding, trace on top, Bcc dropped, a forged verdict replaced."""
    assert changed(fingerprint(SENT), arrived) == []


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (b"body", b"Body", "(body)"),
        (b"is this\r\n", b"is this\r\n-- \r\nsent by x\r\n", "(body)"),
        (b"is this\r\n", b"", "(body)"),
        (b"one", b"[SPAM] one", "subject"),
        (b"Subject: one\r\n two\r\n", b"", "subject"),
        (b"Subject:", b"Subject: zero\r\nSubject:", "subject"),
        (b"a@example.org\r\nS", b"b@example.org\r\nS", "from"),
        (b"from c by d", b"from c by z", "received"),
        (b"Received: from c by d\r\n", b"", "received"),
        (b"Delivered-To: a@example.net\r\n", b"", "delivered-to"),
    ],
)
def test_what_nobody_may_do_is_a_change(old: bytes, new: bytes, part: str) -> None:
    """Another body, another, a missing or a second header of the author's, trace taken away."""
    assert old in SENT
    assert changed(fingerprint(SENT), SENT.replace(old, new)) == [part]


@given(body=st.binary(min_size=1, max_size=60), at=st.integers(0, 59))
def test_any_changed_byte_of_the_body_is_seen(body: bytes, at: int) -> None:
    """Whatever the body is; line ends alone are not part of it."""
    at %= len(body)
    other = body[:at] + bytes([body[at] ^ 0x40]) + body[at + 1 :]
    head = b"From: a@example.org\n\n"
    same = body.replace(b"\r\n", b"\n") == other.replace(b"\r\n", b"\n")
    assert (changed(fingerprint(head + body), head + other) == []) is same


def _report(actions: dict[str, str]) -> bytes:
    blocks = "".join(f"\nFinal-Recipient: rfc822; {name}\nAction: {act}\n" for name, act in actions.items())
    return (
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n{blocks}\n--b--\n"
    ).encode()


def test_a_dsn_tells_whom_it_gives_up() -> None:
    """Failed recipients only; a message that is no report gives nobody up, and is told apart."""
    report = _report({"A@example.net": "failed", "b@example.net": "delayed", "c@example.net": "failed (x)"})
    assert failed_recipients(report) == ("a@example.net",)
    assert failed_recipients(_report({"b@example.net": "delayed"})) == ()
    assert failed_recipients(SENT) is None
