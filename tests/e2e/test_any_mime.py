"""Whatever a program calls a message is read as it was sent, byte for byte (design 7.1)."""

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fixtures.mail.headers import parse
from fixtures.mail.intact import added
from fixtures.mail.message import Message, make, new_marker
from fixtures.mail.outcome import Outcome, Verdict
from fixtures.probe.lines import Spot, smtp
from fixtures.site import load_site
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.odd_mime import author, odd
from tests.e2e.reading import arrivals

ALICE = f"alice@{load_site(ROOT / 'site.toml').mail.primary}"
TRACE = {
    "return-path", "delivered-to", "received", "authentication-results",
    "x-spam", "x-spamd-result", "x-rspamd-server", "x-rspamd-queue-id",
}  # fmt: skip
"""All that the hops may add."""

SUBJECT, NAME, TEXT = "お見積りの件", "山田 太郎", "よろしくお願いいたします。\r\n"
LINES = b".\r\n..\r\n. dot\r\n\r\n \t \r\nFrom nobody\r\n" + b"=" * 5000 + b"\r\n\x07\x1b[1m\r\n"
BYTES = bytes(set(range(1, 256)) - {10, 13}) + b"\r\n"


def written(
    head: bytes = b"", body: bytes = b"Hello.\r\n", subject: bytes = b"s", name: bytes = b""
) -> Message:
    """A message with this subject and author's name, these header lines more, and this body, as they are."""
    mark = new_marker()
    identity = f"<{mark}@hosts.example.org>"
    lines = f" <{author(mark)}>\r\nTo: {ALICE}\r\nDate: {format_datetime(datetime.now(UTC))}\r\n"
    first = b"Subject: " + subject + b"\r\nFrom: " + name + lines.encode()
    return Message(mark, identity, first + f"Message-ID: {identity}\r\n".encode() + head + b"\r\n" + body)


def kind(charset: str, more: bytes = b"") -> bytes:
    """The header of text in a charset."""
    bits = b"7bit" if charset == "iso-2022-jp" else b"8bit"
    return b"Content-Type: text/plain; charset=%s%s\r\nContent-Transfer-Encoding: %s\r\n" % (
        charset.encode(), more, bits,
    )  # fmt: skip


def japanese(charset: str) -> Message:
    """Subject, name and text in a charset, the first two as encoded words."""
    subject, name = (
        f"=?{charset}?B?{base64.b64encode(text.encode(charset)).decode()}?=".encode()
        for text in (SUBJECT, NAME)
    )
    return written(b"MIME-Version: 1.0\r\n" + kind(charset), TEXT.encode(charset), subject, name)


def attached(charset: str) -> Message:
    """A file whose text is in a charset, and its name too, as it is: so do old Japanese mail programs."""
    name = b'; name="%s"' % f"{SUBJECT}.txt".encode(charset)
    body = b"--b\r\n" + kind(charset, name) + b"\r\n" + TEXT.encode(charset) + b"--b--\r\n"
    return written(b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n", body)


MESSAGES = {
    **{charset: japanese(charset) for charset in ("iso-2022-jp", "utf-8", "shift_jis", "euc-jp")},
    **{f"{charset} file": attached(charset) for charset in ("iso-2022-jp", "utf-8", "shift_jis")},
    "raw utf-8 subject": written(subject=SUBJECT.encode()),
    "raw iso-2022-jp subject": written(subject=SUBJECT.encode("iso-2022-jp")),
    "dots, long lines, controls": written(body=LINES),
    "no body": written(body=b""),
    "empty lines": written(body=b"\r\n" * 50),
    "every byte": written(body=BYTES),
    "odd fields": written(b"X-E:\r\nX-Tab:\tt\r\nX-End: e \t\r\nX-Fold: a\r\n \r\n b\r\nX-No-Space:n\r\n"),
    "long line in the header": written(b"X-Long: " + b"z" * 5000 + b"\r\n"),
    "long field": written(b"X-Much: " + b"\r\n\t".join([b"m" * 500] * 110) + b"\r\n"),
    "10,000 fields": written(b"".join(b"X-Flood-%d: f\r\n" % number for number in range(10_000))),
}


def hand_over_all(arrive: Arrive, messages: Sequence[Message]) -> list[Outcome]:
    """Send all, several at once; the answers in the messages' order."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda sent: arrive(sent, [ALICE], sender=author(sent.marker)), messages))


@pytest.mark.req("R-7.1-any-mime")
def test_a_message_is_read_as_it_was_sent(world: Sim, arrive: Arrive) -> None:
    """Japanese in every encoding, raw 8 bits, dots, lines and headers of any length: only trace is new."""
    outcomes = dict(zip(MESSAGES, hand_over_all(arrive, list(MESSAGES.values())), strict=True))
    assert {name: outcome.reply for name, outcome in outcomes.items() if not outcome.accepted} == {}
    assert all("8bitmime" in outcome.extensions for outcome in outcomes.values())
    read = arrivals(world, ALICE, [message.marker for message in MESSAGES.values()])
    for name, message in MESSAGES.items():
        [copy] = read[message.marker]
        new = added(message.content, copy)
        assert set(new) <= TRACE, name
        assert new.count("received") == 3, name
    shown = parse(read[MESSAGES["iso-2022-jp"].marker][0])
    assert (shown["Subject"], shown["From"].addresses[0].display_name) == (SUBJECT, NAME)
    assert shown.get_content() == TEXT


@pytest.mark.req("R-7.1-any-mime")
@settings(max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(messages=st.lists(odd(ALICE), min_size=16, max_size=16))
def test_generated_mime_is_read_as_it_was_sent(world: Sim, arrive: Arrive, messages: list[Message]) -> None:
    """Nested, odd or no last boundaries, empty parts, lying encodings: unchanged, if it is taken."""
    outcomes = hand_over_all(arrive, messages)
    doubtful = [outcome for outcome in outcomes if not outcome.accepted]
    assert {outcome.verdict for outcome in doubtful} <= {Verdict.REFUSED, Verdict.DEFERRED}
    assert len(doubtful) <= len(messages) // 2, doubtful
    sent = [message for message, outcome in zip(messages, outcomes, strict=True) if outcome.accepted]
    read = arrivals(world, ALICE, [message.marker for message in sent])
    for message in sent:
        [copy] = read[message.marker]
        assert set(added(message.content, copy)) <= TRACE


@pytest.mark.req("R-7.1-long-header")
def test_a_field_that_would_be_cut_is_refused(arrive: Arrive) -> None:
    """Postfix cuts what is longer than 60,000 bytes before any filter sees it: better not taken than cut."""
    field = b"X-Much: " + b"\r\n\t".join([b"m" * 500] * 130)
    for length, code in ((58_000, 250), (61_000, 554)):
        message = written(field[:length] + b"\r\n")
        outcome = arrive(message, [ALICE], sender=author(message.marker))
        assert outcome.code == code, outcome
    assert "header field is too long" in outcome.text


@pytest.mark.req("R-7.1-no-smtputf8")
def test_what_needs_smtputf8_is_refused_in_the_session(world: Sim) -> None:
    """Dovecot's LMTP does not know it: neither offered nor taken, so nothing bounces behind the sender."""
    mx = Spot(world.vantage("internet-host"), world.site.mail.mx_hostname, world.ssl_context)
    with smtp(mx, 25) as lines:
        assert "SMTPUTF8" not in lines.say("EHLO client.example.org").text
        assert lines.say(f"MAIL FROM:<{STRANGER}> SMTPUTF8 BODY=8BITMIME").code == 555
        assert lines.say(f"MAIL FROM:<{STRANGER}> BODY=8BITMIME").code == 250
        assert lines.say(f"RCPT TO:<{ALICE}>").code == 250


@pytest.mark.req("R-7.1-no-smtputf8")
def test_a_host_that_knows_smtputf8_can_tell(world: Sim) -> None:
    """A real MTA tells its user that the header must be encoded, and delivers it when it is."""
    writer = "postmaster@example.org"
    good = make(writer, [ALICE], subject=SUBJECT)
    bad = make(writer, [ALICE])
    raw = bad.content.replace(b"Subject: ", f"Subject: {SUBJECT} ".encode())
    told = {}
    for content in (good.content, raw):
        queue_id = world.sender.sendmail(content, writer, [ALICE])
        [told[content]] = world.sender.wait_for_delivery(queue_id)
    assert (told[good.content].status, told[good.content].dsn) == ("sent", "2.0.0")
    assert (told[raw].status, told[raw].dsn) == ("bounced", "5.6.7")
