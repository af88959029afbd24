"""Messages that can be found again."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.mail.headers import parse
from fixtures.mail.message import EICAR, GTUBE, JAPANESE_SUBJECT, japanese, make, sized, spam, virus

FROM, TO = "bob@example.org", ["carol@example.net"]


@pytest.mark.req("R-0-messages-identified")
def test_marker_is_everywhere_and_new() -> None:
    """Subject, body and Message-ID carry the marker, and no two messages share one."""
    message = make(FROM, TO, subject="hello")
    headers = parse(message.content)
    assert headers["Subject"] == f"hello {message.marker}"
    assert headers["Message-ID"] == f"<{message.marker}@example.org>" == message.message_id
    assert headers.get_content().startswith(message.marker)
    assert make(FROM, TO).marker != message.marker


@pytest.mark.req("R-0-messages-wire-form")
def test_japanese_survives_the_wire() -> None:
    """Japanese text is plain ASCII on the wire and itself again after parsing (RFC 2047)."""
    message = japanese(FROM, TO)
    head = message.content.split(b"\r\n\r\n", 1)[0]
    assert head.isascii()
    assert parse(message.content)["Subject"] == f"{JAPANESE_SUBJECT} {message.marker}"
    assert "よろしく" in parse(message.content).get_content()


@pytest.mark.req("R-0-samples-genuine")
def test_samples_are_the_agreed_ones() -> None:
    """The samples are exactly the ones that scanners know, by their lengths and a published digest."""
    assert len(GTUBE) == 68
    assert GTUBE.count("*") == 4
    assert hashlib.md5(EICAR, usedforsecurity=False).hexdigest() == "44d88612fea8a8f36de82e1278abb02f"


@pytest.mark.req("R-0-samples-genuine")
def test_samples_are_in_the_messages() -> None:
    """The spam sample stands in the body, the virus sample is the attachment's very content."""
    assert GTUBE in parse(spam(FROM, TO).content).get_content()
    (attachment,) = parse(virus(FROM, TO).content).iter_attachments()
    assert attachment.get_content() == EICAR


@pytest.mark.req("R-0-messages-wire-form")
@given(size=st.integers(min_value=600, max_value=6000))
@settings(max_examples=80, deadline=None)
def test_sized_is_exact(size: int) -> None:
    """The size on the wire is the one asked for, in lines that SMTP allows."""
    content = sized(FROM, TO, size).content
    assert len(content) == size
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r\n")
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


@pytest.mark.req("R-0-messages-wire-form")
def test_sized_refuses_the_impossible() -> None:
    """A size below the bare message is an error."""
    with pytest.raises(ValueError, match="smaller than"):
        sized(FROM, TO, 10)
