"""Reading many messages of one mailbox in one session."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from imapclient import IMAPClient  # type: ignore[import-untyped]

from fixtures.mail.ledger_content import marker_of
from fixtures.mail.mailbox import ImapMailbox
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for

FOLDERS = ("INBOX", "Junk")
_IDENTITY = "HEADER.FIELDS (MESSAGE-ID)"

_Places = Mapping[str, list[tuple[str, int]]]
"""Folder and number of each copy, by the message's marker."""


def copies(world: Sim, user: str, markers: Iterable[str]) -> dict[str, list[bytes]]:
    """Every copy that a user has of each message now, in his inbox and among his junk."""
    with _mailbox(world, user).session() as client:
        return _read(client, _places(client, list(markers)))


def arrivals(world: Sim, user: str, markers: Iterable[str], number: int = 1) -> dict[str, list[bytes]]:
    """The same, as soon as there are so many copies of each at least; raises WaitTimeoutError."""
    wanted = list(markers)
    with _mailbox(world, user).session() as client:
        places = wait_for(
            f"{len(wanted)} messages in the mailbox of {user}",
            lambda: _places(client, wanted),
            until=lambda found: all(len(copies) >= number for copies in found.values()),
            timeout=timedelta(seconds=60),
        )
        return _read(client, places)


def remove(world: Sim, user: str, marker: str) -> None:
    """Delete a message from a user's inbox for good, as its reader may."""
    with _mailbox(world, user).session() as client:
        client.select_folder(FOLDERS[0])
        client.delete_messages(client.search(["HEADER", "MESSAGE-ID", marker]))
        client.expunge()


def _mailbox(world: Sim, user: str) -> ImapMailbox:
    mailbox = world.mailbox("imap", user)
    assert isinstance(mailbox, ImapMailbox)
    return mailbox


def _places(client: IMAPClient, markers: list[str]) -> _Places:
    """Where the messages are, by their Message-IDs alone."""
    found: dict[str, list[tuple[str, int]]] = {marker: [] for marker in markers}
    for folder in FOLDERS:
        client.select_folder(folder, readonly=True)
        numbers = client.search()
        heads = client.fetch(numbers, [f"BODY.PEEK[{_IDENTITY}]"]) if numbers else {}
        for number, head in heads.items():
            marker = marker_of(head[f"BODY[{_IDENTITY}]".encode()] + b"\r\n")
            if marker in found:
                found[marker].append((folder, number))
    return found


def _read(client: IMAPClient, places: _Places) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {marker: [] for marker in places}
    for folder in FOLDERS:
        client.select_folder(folder, readonly=True)
        for marker, copies_of_it in places.items():
            for number in (number for where, number in copies_of_it if where == folder):
                found[marker].append(client.fetch([number], ["BODY.PEEK[]"])[number][b"BODY[]"])
    return found
