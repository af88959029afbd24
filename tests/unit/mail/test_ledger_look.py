"""Looking into mailboxes and queues."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from fixtures.mail.ledger_look import in_mailbox, in_queue
from fixtures.mail.mailbox import ImapMailbox
from fixtures.mail.message import Message, make

pytestmark = pytest.mark.req("R-0-ledger-finds-faults")

ANN, BEN = "ann@a.example.org", "ben@a.example.org"
STARTED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class _Client:
    """As much of imapclient as is used: folders of (time, content) pairs, numbered from 1."""

    def __init__(self, folders: dict[str, list[tuple[datetime, bytes]]]) -> None:
        self.folders = folders
        self.selected = ""
        self.normalise_times = True

    def list_folders(self) -> list[tuple[tuple[bytes, ...], bytes, str]]:
        """Every folder, and one that only holds others."""
        return [((b"\\Noselect",), b"/", "Lists"), *(((), b"/", name) for name in self.folders)]

    def select_folder(self, name: str, *, readonly: bool) -> None:
        """Open a folder without changing it."""
        assert readonly
        self.selected = name

    def search(self) -> list[int]:
        """All numbers."""
        return list(range(1, len(self.folders[self.selected]) + 1))

    def fetch(self, numbers: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        """The times with their zone, or the contents."""
        assert self.normalise_times is False
        (item,) = items
        which, key = {"INTERNALDATE": (0, b"INTERNALDATE"), "BODY.PEEK[]": (1, b"BODY[]")}[item]
        return {n: {key: self.folders[self.selected][n - 1][which]} for n in numbers}


class _Mailbox:
    def __init__(self, client: _Client) -> None:
        self.client = client
        self.sessions = 0

    @contextmanager
    def session(self) -> Iterator[_Client]:
        """One session."""
        self.sessions += 1
        yield self.client


def test_every_folder_is_read_in_one_session_since_the_run_began() -> None:
    """More messages than go into one command, in two folders; what is older by hours is left unread."""
    messages = [make(BEN, [ANN]) for _ in range(120)]
    old, junk = make(BEN, [ANN]), make(BEN, [ANN])
    inbox = [(STARTED + timedelta(seconds=1), message.content) for message in messages]
    before = (STARTED - timedelta(hours=2), old.content)
    folders = {"INBOX": [before, *inbox], "Junk": [(STARTED, junk.content)], "Empty": []}
    mailbox = _Mailbox(_Client(folders))
    found = in_mailbox(cast(ImapMailbox, mailbox), ANN, STARTED)
    assert mailbox.sessions == 1
    assert [one.marker for one in found] == [message.marker for message in (*messages, junk)]
    assert {(one.kind, one.holder) for one in found} == {("mailbox", ANN)}
    assert (found[-1].folder, found[-1].content) == ("Junk", junk.content)


def _postfix(queue: dict[str, tuple[Message, list[str]]]) -> Any:
    """A host with that queue: message and recipients by queue id."""

    def run(argv: Sequence[str]) -> str:
        if argv[0] == "postqueue":
            entries = [
                {"queue_id": name, "recipients": [{"address": to, "delay_reason": "x"} for to in recipients]}
                for name, (_, recipients) in queue.items()
            ]
            return "".join(json.dumps(entry) + "\n" for entry in entries)
        assert argv[:2] == ["sh", "-c"]
        assert "postcat -hbq" in argv[2]
        text = queue[argv[-1]][0].content.decode().replace("\r\n", "\n")
        return f"*** MESSAGE CONTENTS deferred/{argv[-1]} ***\n{text}"

    return run


def test_a_queue_tells_what_waits_and_for_whom() -> None:
    """Each entry by its marker, for its recipients; its bytes are not for comparing."""
    one, two = make(BEN, [ANN, BEN]), make(BEN, [ANN])
    found = in_queue(_postfix({"4F2A": (one, [ANN, "Ben@a.example.org"]), "4F2B": (two, [ANN])}), "server")
    assert [(each.marker, each.holder, each.recipients, each.content) for each in found] == [
        (one.marker, "server", (ANN, BEN), None),
        (two.marker, "server", (ANN,), None),
    ]
    assert in_queue(_postfix({}), "server") == []


def test_a_notice_in_a_queue_is_told_apart() -> None:
    """The header is read below the line that postcat puts above it."""
    about = make(ANN, [BEN])
    head = 'Message-ID: <1@a.example.org>\r\nContent-Type: multipart/report; boundary="b"\r\n\r\n--b\r\n\r\n'
    report = replace(about, content=f"{head}{about.message_id}\r\n--b--\r\n".encode())
    (found,) = in_queue(_postfix({"4F2A": (report, [ANN])}), "server")
    assert (found.marker, found.gives_up) == (about.marker, ())
    assert found.where == f"DSN in queue of server, for {ANN}"
