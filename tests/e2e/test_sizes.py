"""Message size at its limit: that passes every hop, and one byte more is refused by the first (F66)."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from fixtures.mail.ledger_content import failed_recipients
from fixtures.mail.mailbox import ImapMailbox
from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Outcome, Verdict
from fixtures.probe.door import plain
from fixtures.probe.lines import Lines, Spot, expect, smtp
from fixtures.site import Site
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.conftest import STRANGER, Arrive, Submit
from tests.e2e.inside import Dialogue, Place
from tests.e2e.reading import remove

FOREIGN = "friend@example.net"
SENDGRID_LIMIT = 30 * 1024 * 1024
"""What SendGrid takes at most, by its documentation; it stands in its EHLO."""
END = 5000
"""So many bytes at the end are compared."""


def exactly(sender: str, recipient: str, size: int) -> Message:
    """A message with an attachment, of so many bytes on the wire."""
    lines = (size - 4096) // 78  # of base64: 76 characters for 57 bytes, and CRLF
    bare = make(sender, [recipient], attachments=[("film.bin", os.urandom(lines * 57))])
    short, rest = divmod(size - len(bare.content), 78)
    padding = (b"x" * 76 + b"\r\n") * (short - 1) + b"x" * (76 + rest) + b"\r\n"
    return Message(bare.marker, bare.message_id, bare.content + padding)


Open = Callable[[], Lines]


@pytest.fixture
def reader(site: Site) -> str:
    """A user whose mailbox other specs have little to search in."""
    return f"alice@{site.mail.domains[-1]}"


@pytest.fixture(params=["gateway", "submission"])
def door(request: pytest.FixtureRequest, world: Sim, alice: str) -> tuple[Open, str]:
    """The two ports that announce a size to people: how to open a session, and its sender."""
    if request.param == "gateway":
        mx = Spot(world.vantage("internet-host"), world.site.mail.mx_hostname, world.ssl_context)
        return lambda: smtp(mx, 25), STRANGER
    pc = Spot(world.vantage("tailnet-pc"), world.server, world.ssl_context)
    return lambda: smtp(pc, 587, tls=True, login=plain(alice, world.passwords[alice])), alice


@pytest.mark.req("R-7.1-size")
def test_both_doors_announce_the_same_size(world: Sim, door: tuple[Open, str]) -> None:
    """The site's own number; a message that says that it is larger is refused at MAIL, one of it is not."""
    open_session, sender = door
    limit = world.site.mail.message_size_mb * 1024 * 1024 * 7 // 5
    with open_session() as lines:
        assert f"SIZE {limit}" in lines.say("EHLO client.example.org").text.splitlines()
        assert lines.say(f"MAIL FROM:<{sender}> SIZE={limit + 1}").code == 552
        assert lines.say(f"MAIL FROM:<{sender}> SIZE={limit}").code == 250


@pytest.mark.req("R-7.1-size")
def test_the_port_between_has_room_for_trace(world: Sim) -> None:
    """What the gateway writes into a message makes it longer than its sender was told it might be."""
    limit = world.site.mail.wire_limit
    asked = [f"MAIL FROM:<{STRANGER}> SIZE={size}" for size in (limit + 100_000, limit + 1_000_000)]
    said = Place.task(world).talk({"between": Dialogue("127.0.0.1", 2525, [asked[0], "RSET", asked[1]])})
    assert [reply.code for reply in said["between"]] == [250, 250, 552]


@pytest.mark.req("R-7.1-size")
def test_one_byte_too_many_is_refused_after_the_text(world: Sim, reader: str) -> None:
    """Without SIZE at MAIL the gateway counts the text itself: 552."""
    message = exactly(STRANGER, reader, world.site.mail.wire_limit + 1)
    mx = Spot(world.vantage("internet-host"), world.site.mail.mx_hostname, world.ssl_context)

    def act() -> Outcome:
        with smtp(mx, 25) as lines:
            for command, code in (
                (f"MAIL FROM:<{STRANGER}>", 250), (f"RCPT TO:<{reader}>", 250), ("DATA", 354),
            ):  # fmt: skip
                expect(lines.say(command), code)
            lines.send(message.content + b".\r\n")
            reply = lines.reply()
            return Outcome(reply.verdict, "data", reply)

    outcome = world.ledger.hand_over(message, STRANGER, [reader], act)
    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, 552), outcome


def ends(world: Sim, user: str, marker: str, body: bytes) -> list[tuple[int, bytes]]:
    """Length and last bytes of the body of each copy, as soon as there is one; so much is not read twice."""
    mailbox = world.mailbox("imap", user)
    assert isinstance(mailbox, ImapMailbox)
    last = f"BODY.PEEK[TEXT]<{len(body) - END}.{2 * END}>"

    def look() -> list[tuple[int, bytes]]:
        with mailbox.session() as client:
            client.select_folder("INBOX", readonly=True)
            found = client.search(["HEADER", "MESSAGE-ID", marker])
            items = client.fetch(found, ["RFC822.SIZE", "BODY.PEEK[HEADER]", last]) if found else {}
        tail = f"BODY[TEXT]<{len(body) - END}>".encode()
        return [(item[b"RFC822.SIZE"] - len(item[b"BODY[HEADER]"]), item[tail]) for item in items.values()]

    return wait_for(f"message {marker} in the mailbox of {user}", look, timeout=timedelta(seconds=60))


@pytest.mark.req("R-4.4-size-end-to-end")
def test_a_message_of_the_limit_passes_every_hop(world: Sim, arrive: Arrive, reader: str) -> None:
    """Gateway, tunnel, scan and delivery take it, as large as it was announced, to its last line."""
    message = exactly(STRANGER, reader, world.site.mail.wire_limit)
    assert len(message.content) == world.site.mail.wire_limit
    outcome = arrive(message, [reader])
    assert outcome.accepted, outcome
    body = message.content.partition(b"\r\n\r\n")[2]
    assert ends(world, reader, message.marker, body) == [(len(body), body[-END:])]
    # Read, compared, and gone: in its mailbox it would make every later search slow.
    remove(world, reader, message.marker)
    world.ledger.expect(message.marker, reader, "nowhere")


@pytest.mark.req("R-4.4-size-end-to-end")
def test_what_sendgrid_finds_too_large_comes_back(world: Sim, submit: Submit, reader: str) -> None:
    """SendGrid takes 30 MiB, less than users may send each other: the author learns of it, with the size."""
    assert world.site.mail.wire_limit > SENDGRID_LIMIT
    message = exactly(reader, FOREIGN, SENDGRID_LIMIT + 1)
    outcome = submit(message, [FOREIGN], user=reader)
    assert outcome.accepted, outcome
    world.ledger.expect(message.marker, FOREIGN, "dsn")
    notice = world.mailbox("imap", reader).wait_for(message.marker)
    assert failed_recipients(notice) == (FOREIGN,)
    assert f"exceeds size limit {SENDGRID_LIMIT}".encode() in b" ".join(notice.split())
    assert world.sendgrid.messages(message.marker) == []
