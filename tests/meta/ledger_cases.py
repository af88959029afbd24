"""Messages, fates and finds for the ledger's checker, made by hand: two own users, two foreign ones."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import strategies as st

from fixtures.mail.ledger import Entry, Handover, Ledger
from fixtures.mail.ledger_found import Found, Kind, recognised
from fixtures.mail.ledger_owed import Domains
from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Verdict

ANN, BEN = "ann@a.example.org", "ben@b.example.org"
PAL, FAR = "pal@example.net", "far@unseen.example.net"
STRANGER = "stranger@hosts.example.org"
DOMAINS = Domains(own={"a.example.org", "b.example.org"}, foreign={"example.net"})

WAY: dict[str, tuple[Kind, ...]] = {
    ANN: ("mailbox",),
    BEN: ("mailbox",),
    PAL: ("sendgrid", "foreign"),
    FAR: ("sendgrid",),
}
"""Where a copy for each of them shows once it has arrived."""

Story = tuple[Entry, list[Found], Counter[tuple[str, str]]]
"""A message's entry, what is found of it, and the faults in that, by kind and marker."""


def told(
    fates: dict[str, list[Verdict]], *, sender: str = ANN, to: Message | None = None
) -> tuple[Entry, Message]:
    """A message whose sender was told these things about its recipients, and its entry."""
    message = to or make(sender, list(fates))
    entry = Ledger().enter(message, sender, list(fates))
    entry.handovers = [Handover(name, verdict, "so") for name in fates for verdict in fates[name]]
    return entry, message


def accepted(*recipients: str, sender: str = ANN) -> tuple[Entry, Message]:
    """A message that was accepted for all of its recipients."""
    return told({name: [Verdict.ACCEPTED] for name in recipients}, sender=sender)


def travelled(content: bytes) -> bytes:
    """The message as it arrives: with trace on top."""
    return (
        b"Return-Path: <x@example.org>\r\nReceived: from a by b; Mon, 23 Nov 2026 23:45:28 +0000\r\n"
        + content
    )


def lies(kind: Kind, message: Message, address: str, *, content: bytes | None = None) -> list[Found]:
    """A copy of that kind, in that address's mailbox or on its way to it."""
    holder = "server" if kind == "queue" else address
    found = recognised(kind, holder, travelled(content or message.content), recipients=[address])
    assert len(found) == 1
    return found


def arrived(message: Message, *recipients: str) -> list[Found]:
    """All that shows of a message when it has come to these recipients."""
    return [found for name in recipients for kind in WAY[name] for found in lies(kind, message, name)]


def notice(message: Message, author: str, gives_up: Sequence[str], action: str = "failed") -> list[Found]:
    """A DSN about a message in somebody's mailbox."""
    blocks = "".join(f"\r\nFinal-Recipient: rfc822; {name}\r\nAction: {action}\r\n" for name in gives_up)
    content = (
        "From: MAILER-DAEMON@a.example.org\r\nMessage-ID: <1@a.example.org>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; a.example.org\r\n{blocks}\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message.message_id}\r\n\r\n--b--\r\n"
    )
    found = recognised("mailbox", author, content.encode())
    assert len(found) == 1
    return found


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A message with a fate for each recipient, what is found of it, and the faults put into that."""
    names = draw(st.lists(st.sampled_from(list(WAY)), min_size=1, unique=True))
    fates = {name: draw(st.lists(st.sampled_from(Verdict), min_size=1, max_size=3)) for name in names}
    entry, message = told(fates, sender=STRANGER)
    finds: list[Found] = []
    faults: list[str] = []
    for name, verdicts in fates.items():
        least = verdicts.count(Verdict.ACCEPTED)
        most = least + verdicts.count(Verdict.UNKNOWN)
        copies = draw(st.integers(0, most + 2))
        finds += arrived(message, name) * copies
        if copies > most:
            faults.append("duplicated" if most else "resurrected")
        elif copies < least:
            faults.append("lost")
    owed = any({Verdict.ACCEPTED, Verdict.UNKNOWN} & set(verdicts) for verdicts in fates.values())
    if others := [name for name in (ANN, BEN) if name not in names]:
        strays = draw(st.integers(0, 2))
        finds += lies("mailbox", message, others[0]) * strays
        faults += ["misdelivered" if owed else "resurrected"] * strays
    spoil = draw(st.booleans())
    if finds and spoil:
        index = draw(st.integers(0, len(finds) - 1))
        finds[index] = _spoilt(finds[index], message)
        faults.append("altered")
    return entry, finds, Counter((kind, message.marker) for kind in faults)


def _spoilt(found: Found, message: Message) -> Found:
    """The same copy with another body."""
    name = found.recipients[0]
    return lies(found.kind, message, name, content=message.content.replace(b"regards", b"wishes"))[0]
