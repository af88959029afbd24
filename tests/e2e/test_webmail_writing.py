"""Writing at the webmail in a real browser: to readers here and elsewhere, with files (design 4.4, 7.3)."""

import random
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from fixtures.mail.headers import parse
from fixtures.mail.mailbox import ImapMailbox
from fixtures.mail.message import new_marker
from fixtures.probe.lines import Lines, Spot
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.webmail_browser import Desk

FRIEND = "friend@example.net"
WORDS = "お世話になっております。\n\n資料をお送りします。"
MIB = 1024 * 1024


def _file(folder: Path, name: str, size: int) -> Path:
    """A file that no compression makes smaller."""
    path = folder / name
    path.write_bytes(random.Random(name).randbytes(size))
    return path


def _parts(message: EmailMessage) -> dict[str | None, Any]:
    return {part.get_filename(): part.get_payload(decode=True) for part in message.iter_attachments()}


@pytest.mark.req("R-7.3-compose-and-send")
def test_a_message_with_a_file_is_written_and_sent(
    desk: Desk, world: Sim, alice: str, bob: str, tmp_path: Path
) -> None:
    """To a reader here and one elsewhere: as written, from the writer's own address; a copy lies in Sent."""
    marker, file = new_marker(), _file(tmp_path, "資料.bin", MIB // 2)
    desk.write([bob, FRIEND], f"資料 {marker}", WORDS, [file])
    expect(desk.attached()).to_contain_text([file.name])
    desk.picture("5-compose")
    desk.send()
    here = parse(world.mailbox("imap", bob).wait_for(marker))
    elsewhere = _wait_for_subject(world, f"資料 {marker}")
    for read in (here, elsewhere):
        assert read["From"].addresses[0].addr_spec == alice
        assert [address.addr_spec for address in read["To"].addresses] == [bob, FRIEND]
        assert read["Subject"] == f"資料 {marker}"
        body = read.get_body(("plain",))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n").strip() == WORDS
        assert _parts(read) == {file.name: file.read_bytes()}
    assert world.mailbox("imap", alice, folder="Sent").count(marker) == 1


def _wait_for_subject(world: Sim, subject: str) -> EmailMessage:
    """The friend's message with a subject that is encoded on its way."""

    def found() -> list[EmailMessage]:
        return [read for read in map(parse, world.receiver.inbox(FRIEND)) if read["Subject"] == subject]

    return wait_for(f"{subject} at {FRIEND}", found, timeout=timedelta(seconds=30))[0]


@pytest.fixture
def large(world: Sim, alice: str, bob: str) -> Iterator[str]:
    """The marker of a message too large to stay: every later look into the mailboxes would fetch it."""
    marker = new_marker()
    yield marker
    for user, folder in ((bob, "INBOX"), (alice, "Sent")):
        mailbox = world.mailbox("imap", user, folder=folder)
        assert isinstance(mailbox, ImapMailbox)
        with mailbox.session() as client:
            client.select_folder(folder)
            client.delete_messages(client.search(["SUBJECT", marker]))
            client.expunge()


@pytest.mark.req("R-7.3-compose-and-send", "R-4.3-body-size")
def test_the_largest_file_is_taken_and_a_larger_one_is_not(
    desk: Desk, world: Sim, bob: str, tmp_path: Path, large: str
) -> None:
    """A file of the site's size arrives whole; one byte more is refused in the form, with the size (F66)."""
    limit = world.site.mail.message_size_mb * MIB
    largest, larger = _file(tmp_path, "largest.bin", limit), _file(tmp_path, "larger.bin", limit + 1)
    desk.write([bob], large, WORDS)
    desk.attach(larger)
    dialog = desk.page.locator(".ui-dialog, #messagestack").filter(has_text=f"{limit // MIB}")
    expect(dialog.first).to_be_visible()
    desk.picture("6-too-large")
    expect(desk.page.locator("#attachment-list li")).to_have_count(0)
    desk.page.keyboard.press("Escape")
    desk.attach(largest)
    expect(desk.attached()).to_contain_text([largest.name], timeout=30_000)
    desk.send()
    read = parse(world.mailbox("imap", bob).wait_for(large))
    assert _parts(read) == {largest.name: largest.read_bytes()}


@pytest.mark.req("R-4.3-body-size")
def test_the_front_refuses_what_is_larger_than_any_message(world: Sim) -> None:
    """413 for one byte more than the wire's limit, before it is sent; the limit itself may be sent (F66)."""
    spot = Spot(world.vantage("tailnet-pc"), world.server, world.ssl_context)
    limit = world.site.mail.message_size_mb * MIB * 14 // 10
    for size, answer in ((limit, b"HTTP/1.1 100 "), (limit + 1, b"HTTP/1.1 413 ")):
        head = f"POST /?_task=mail HTTP/1.1\r\nHost: {world.server}\r\nContent-Length: {size}\r\n"
        with Lines(spot, 443, encrypted=True) as lines:
            lines.send(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert lines.read(b"HTTP/1.1 ")[0].startswith(answer), size
