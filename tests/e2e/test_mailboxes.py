"""A mailbox as its owner's devices see it: pushed, large, shared by two, and fetched by POP3 (design 4.1)."""

import poplib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from statistics import median
from time import monotonic
from typing import Any

import pytest
from imapclient import IMAPClient  # type: ignore[import-untyped]

from fixtures.mail.mailbox import ImapMailbox
from fixtures.mail.message import make
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.boxes import Box, folder_of, mailbox_of_its_own
from tests.e2e.conftest import STRANGER, Arrive

MANY = 10_000
LISTED = b"BODY[HEADER.FIELDS (FROM SUBJECT DATE)]"


@pytest.fixture
def box(world: Sim) -> Iterator[Box]:
    """A mailbox of this spec's own, empty."""
    with mailbox_of_its_own(world, world.site.mail.primary) as made:
        yield made


@pytest.fixture(scope="module")
def large(world: Sim) -> Iterator[Box]:
    """A mailbox with ten thousand messages that no program has looked at yet."""
    with mailbox_of_its_own(world, world.site.mail.primary) as made:
        made.fill(MANY)
        yield made


def _hears(client: IMAPClient, word: bytes, number: int = 1) -> float:
    """The moment at which an idling client is told ``word``, e.g. EXISTS, with that number or more."""

    def heard() -> bool:
        told = client.idle_check(timeout=1)
        return any(item[1] == word and item[0] >= number for item in told if len(item) > 1)

    wait_for("the server to tell", heard, timeout=timedelta(seconds=15), interval=timedelta(0))
    return monotonic()


@pytest.mark.req("R-4.1-idle-push")
def test_new_mail_is_pushed_to_both_devices(world: Sim, arrive: Arrive, box: Box) -> None:
    """PC and phone idle; both hear of mail from the Internet within a second of its 250 (RFC 2177)."""
    delays: dict[str, list[float]] = {"tailnet-pc": [], "tailnet-phone": []}
    with box.imap().session() as pc, box.imap(place="tailnet-phone").session() as phone:
        clients = {"tailnet-pc": pc, "tailnet-phone": phone}
        for client in clients.values():
            assert client.has_capability("IDLE")
            client.select_folder("INBOX")
            client.idle()
        with ThreadPoolExecutor(len(clients)) as pool:
            for number in (1, 2, 3):
                waiting = {place: pool.submit(_hears, clients[place], b"EXISTS", number) for place in clients}
                assert arrive(make(STRANGER, [box.user]), [box.user]).accepted
                accepted = monotonic()
                for place, moment in waiting.items():
                    delays[place].append(moment.result() - accepted)
        for client in clients.values():
            client.idle_done()
    assert {place: median(found) <= 1 for place, found in delays.items()} == {
        "tailnet-pc": True, "tailnet-phone": True,
    }, delays  # fmt: skip


def _in_seconds(act: Callable[[], Any]) -> tuple[float, Any]:
    began = monotonic()
    found = act()
    return monotonic() - began, found


def _listing(mailbox: ImapMailbox) -> dict[int, dict[bytes, Any]]:
    """What a mail program asks for when it opens a folder."""
    with mailbox.session() as client:
        assert client.select_folder("INBOX", readonly=True)[b"EXISTS"] == MANY
        found: dict[int, dict[bytes, Any]] = client.fetch(
            client.search(), ["FLAGS", "RFC822.SIZE", "INTERNALDATE", LISTED.replace(b"BODY", b"BODY.PEEK")]
        )
        return found


@pytest.mark.req("R-4.1-large-mailbox")
def test_ten_thousand_messages_list_in_time(large: Box) -> None:
    """The first look, for which every file is read, and each later one, by IMAP and by POP3."""
    first, listed = _in_seconds(lambda: _listing(large.imap()))
    again, _ = _in_seconds(lambda: _listing(large.imap()))
    subjects = {
        message[LISTED].partition(b"Subject: ")[2].partition(b"\r\n")[0] for message in listed.values()
    }
    assert subjects == {f"message {number:05}".encode() for number in range(MANY)}
    with large.pop3().session() as pop3:
        by_pop3, (_, uidl, _) = _in_seconds(pop3.uidl)
    assert len({line.split()[1] for line in uidl}) == MANY
    assert (first < 30, again < 15, by_pop3 < 15) == (True, True, True), (first, again, by_pop3)


@pytest.mark.req("R-4.1-large-mailbox")
def test_flags_folders_and_search_in_a_large_mailbox(large: Box) -> None:
    """One message of ten thousand is found by its words, its flags and its keyword, and moved, alone."""
    with large.imap().session() as client:
        client.select_folder("INBOX")
        seconds, found = _in_seconds(lambda: client.search(["SUBJECT", "message 04711"]))
        assert (len(found), seconds < 10) == (1, True), (found, seconds)
        assert client.search(["TEXT", "number 4711."]) == found
        client.add_flags(found, ["\\Flagged", "$Later"])
        assert client.search("FLAGGED") == client.search(["KEYWORD", "$Later"]) == found
        client.remove_flags(found, ["\\Seen"])
        assert client.search("UNSEEN") == found
        client.create_folder("仕事/2026")
        client.subscribe_folder("仕事/2026")
        client.move(found, "仕事/2026")
        assert client.search(["SUBJECT", "message 04711"]) == []
        assert client.folder_status("INBOX", ["MESSAGES"])[b"MESSAGES"] == MANY - 1
        client.rename_folder("仕事/2026", "仕事/済")
        client.select_folder("仕事/済")
        [moved] = client.search(["SUBJECT", "message 04711", "UNSEEN", "FLAGGED", "KEYWORD", "$Later"])
        client.move([moved], "INBOX")
        client.unselect_folder()
        client.delete_folder("仕事/済")
        assert "仕事/済" not in [name for _, _, name in client.list_folders()]
        assert client.folder_status("INBOX", ["MESSAGES"])[b"MESSAGES"] == MANY


@pytest.mark.req("R-4.1-special-folders", "R-4.1-mail-is-vmails", "R-4.1-maildir-below-home")
def test_a_new_users_folders_and_files(world: Sim, arrive: Arrive, box: Box) -> None:
    """Special folders are marked as such (RFC 6154); on the disk all is vmail's alone, a file a message."""
    message = make(STRANGER, [box.user])
    assert arrive(message, [box.user]).accepted
    box.imap().wait_for(message.marker)
    marked = {name: flags & {f"\\{name}"} for name, flags in box.imap().folders().items() if name != "INBOX"}
    assert marked == {name: {f"\\{name}"} for name in ("Drafts", "Sent", "Junk", "Trash", "Archive")}
    listed = world.dell.run(["find", folder_of(box.user), "-printf", "%y %u %m %P\\n"]).stdout.splitlines()
    kinds = {line.split()[0] for line in listed}
    assert kinds == {"d", "f"}
    # Dovecot's mark of the mailbox's identity is an empty file that nobody may write.
    others = [
        line for line in listed if not re.match("(d 5000 700|f 5000 600) |f 5000 444 .*uidvalidity", line)
    ]
    assert others == []
    inbox = [line for line in listed if " Maildir/new/" in line or " Maildir/cur/" in line]
    assert len(inbox) == 1


@pytest.mark.req("R-4.1-two-clients")
def test_two_devices_see_the_same_mailbox(box: Box) -> None:
    """What one does to a message, the other sees while it is connected; mail of both at once is all kept."""
    box.put(["first", "second", "third"])
    with box.imap().session() as pc, box.imap(place="tailnet-phone").session() as phone:
        for client in (pc, phone):
            client.select_folder("INBOX")
        pc.add_flags(pc.search(["SUBJECT", "second"]), ["\\Answered"])
        phone.noop()
        assert len(phone.search(["ANSWERED", "SUBJECT", "second"])) == 1
        phone.idle()
        pc.move(pc.search(["SUBJECT", "first"]), "Archive")
        _hears(phone, b"EXPUNGE")
        phone.idle_done()
        assert phone.search(["SUBJECT", "first"]) == []
        phone.select_folder("Archive", readonly=True)
        assert len(phone.search(["SUBJECT", "first"])) == 1
        phone.select_folder("INBOX")

        def work(client: IMAPClient, name: str) -> None:
            for number in range(10):
                content = make(box.user, [box.user], subject=f"{name} {number}").content
                client.append("INBOX", content, flags=["\\Seen"])
                client.add_flags(client.search(["SUBJECT", "third"]), [f"${name}"])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, (pc, phone), ("pc", "phone")))
        for client in (pc, phone):
            client.noop()
            counted = [len(client.search(["SUBJECT", f"{name} "])) for name in ("pc", "phone")]
            assert counted == [10, 10]
            assert len(client.search(["KEYWORD", "$pc", "KEYWORD", "$phone"])) == 1


class _LineCut(Exception):
    """The device lost its connection."""


def _uidl(pop3: poplib.POP3) -> dict[str, int]:
    """Each message's unique id and its number in this session."""
    return {line.split()[1].decode(): int(line.split()[0]) for line in pop3.uidl()[1]}


@pytest.mark.req("R-4.1-two-clients")
def test_pop3_deletes_only_what_it_is_told_to(box: Box) -> None:
    """Ids outlive sessions; DELE counts with QUIT, not after RSET nor on a line that is cut (RFC 1939)."""
    box.put([f"letter {number}" for number in range(5)])
    with box.pop3().session() as pop3:
        ids = _uidl(pop3)
        pop3.dele(1)
        pop3.dele(2)
        pop3.rset()
    with suppress(_LineCut), box.pop3().session() as pop3:
        pop3.dele(3)
        raise _LineCut
    with box.pop3().session() as pop3, box.imap().session() as imap:
        assert _uidl(pop3) == ids
        imap.select_folder("INBOX")
        imap.add_flags([4], ["\\Flagged"])
        pop3.dele(2)
        assert imap.search(["SUBJECT", "letter 1"]) == [2]  # not before QUIT
    with box.pop3().session() as pop3:
        assert list(_uidl(pop3)) == [known for known, number in ids.items() if number != 2]
        pop3.retr(1)
    with box.imap().session() as imap:
        imap.select_folder("INBOX")
        left = [imap.search(["SUBJECT", f"letter {number}"]) for number in range(5)]
        assert [len(found) for found in left] == [1, 0, 1, 1, 1]
        assert imap.search("FLAGGED") == left[3]
