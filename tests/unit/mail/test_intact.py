"""Seeing that a message came through as it was sent, and what was put around it."""

import pytest

from fixtures.mail.intact import AlteredError, added

pytestmark = pytest.mark.req("R-0-messages-compared")

SENT = b"From: a@example.org\r\nSubject: x\r\n y\r\n\r\n.line\r\n\r\nlast\r\n"
ABOVE = b"Received: from a\r\n\tby b; now\r\nReturn-Path: <>\r\n"
BELOW = b"X-Spamd-Result: default\r\n"


def read(**changes: bytes) -> bytes:
    """The message as it is read behind two hops, with one piece of it replaced."""
    head, _, body = SENT.partition(b"\r\n\r\n")
    pieces = {"above": ABOVE, "head": head + b"\r\n", "below": BELOW, "body": body} | changes
    return pieces["above"] + pieces["head"] + pieces["below"] + b"\r\n" + pieces["body"]


def test_what_was_added_is_named_in_order() -> None:
    """Above and below the author's own header; plain line ends are the same message."""
    assert added(SENT, SENT) == []
    assert added(SENT, read()) == ["received", "return-path", "x-spamd-result"]
    assert added(SENT, read().replace(b"\r\n", b"\n")) == ["received", "return-path", "x-spamd-result"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"body": b"line\r\n\r\nlast\r\n"}, id="dot-lost"),
        pytest.param({"body": b"..line\r\n\r\nlast\r\n"}, id="dot-doubled"),
        pytest.param({"body": b".line\r\n\r\nlast\r\n\r\n"}, id="line-more"),
        pytest.param({"body": b".line\r\n\r\nla\r\n st\r\n"}, id="line-broken"),
        pytest.param({"body": b""}, id="body-gone"),
        pytest.param({"head": b"Subject: x\r\n y\r\nFrom: a@example.org\r\n"}, id="order"),
        pytest.param({"head": b"From: a@example.org\r\nSubject: x y\r\n"}, id="unfolded"),
        pytest.param({"head": b"From: a@example.org\r\nX-Between: 1\r\nSubject: x\r\n y\r\n"}, id="between"),
        pytest.param({"above": ABOVE + b"X-Glued: "}, id="glued"),
        pytest.param({"below": b" z\r\n"}, id="continued"),
    ],
)
def test_the_smallest_change_is_seen(changes: dict[str, bytes]) -> None:
    """A dot, a line end, the order or the folding of headers, a field among the author's."""
    with pytest.raises(AlteredError):
        added(SENT, read(**changes))
