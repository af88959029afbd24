"""Reading mail at the webmail in a real browser on a tailnet PC (design 4.4, 7.3)."""

import io
import re
import zipfile

import pytest
from playwright.sync_api import expect

from fixtures.mail.message import Message, make
from fixtures.targets.sim import Sim
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.webmail_browser import Desk

SENT_AT = "Sat, 10 Jan 2026 20:30:00 +0000"
IN_TOKYO = "2026-01-11 05:30"
IN_NEW_YORK = "15"  # the hour of SENT_AT there, where the browser believes to be


def _arrived(world: Sim, arrive: Arrive, message: Message, user: str) -> None:
    outcome = arrive(message, [user])
    assert outcome.accepted, outcome
    world.mailbox("imap", user).wait_for(message.marker)


@pytest.mark.req("R-4.4-timezone", "R-4.4-japanese", "R-7.3-read")
def test_it_speaks_japanese_and_tells_tokyo_time(desk: Desk, world: Sim, arrive: Arrive, alice: str) -> None:
    """In a browser of New York that speaks English: the site's language, and its time in list and message."""
    written = make(STRANGER, [alice], subject="時刻")
    dated = re.sub(rb"(?m)^Date: .*?(?=\r\n)", f"Date: {SENT_AT}".encode(), written.content)
    _arrived(world, arrive, Message(written.marker, written.message_id, dated), alice)
    shown = desk.read(written.marker)
    assert desk.page.evaluate("document.documentElement.lang") == "ja"
    assert desk.page.evaluate(f"String(new Date('{SENT_AT}').getHours())") == IN_NEW_YORK
    assert desk.page.evaluate("navigator.language") == "en-US"
    expect(desk.page.locator("#mailboxlist li.inbox > a")).to_contain_text("受信箱")
    expect(desk.row(written.marker)).to_contain_text(IN_TOKYO)
    expect(shown.locator("#message-header")).to_contain_text(IN_TOKYO)
    expect(shown.locator("#messagebody")).to_contain_text("With kind regards.")
    desk.picture("1-read")


@pytest.mark.req("R-7.3-read")
def test_mail_that_comes_while_it_is_open_appears(desk: Desk, world: Sim, arrive: Arrive, alice: str) -> None:
    """The open list asks again within a minute, by itself and without a new page; the minute is wound on."""
    message = make(STRANGER, [alice], subject="新着")
    desk.page.clock.install()
    desk.go("mail", mbox="INBOX")
    desk.page.evaluate("window.the_same_page = true")
    _arrived(world, arrive, message, alice)
    assert desk.row(message.marker).count() == 0
    desk.page.clock.fast_forward("01:01")
    expect(desk.row(message.marker)).to_be_visible()
    assert desk.page.evaluate("window.the_same_page") is True


@pytest.mark.req("R-7.3-read", "R-4.4-plugins")
def test_a_message_is_archived(desk: Desk, world: Sim, arrive: Arrive, alice: str) -> None:
    """One press of a button moves it from the inbox into the archive, where IMAP sees it, too."""
    message = make(STRANGER, [alice], subject="保管")
    _arrived(world, arrive, message, alice)
    archive = world.mailbox("imap", alice, folder="Archive")
    assert archive.count(message.marker) == 0
    desk.read(message.marker)
    button = desk.page.locator("a.archive")
    expect(button).to_be_visible()
    button.click()
    expect(desk.row(message.marker)).to_be_hidden()
    archive.wait_for(message.marker)
    assert world.mailbox("imap", alice).count(message.marker) == 0
    desk.go("mail", mbox="Archive")
    expect(desk.row(message.marker)).to_be_visible()
    desk.picture("2-archive")


@pytest.mark.req("R-4.4-plugins")
def test_all_attachments_come_in_one_archive(desk: Desk, world: Sim, arrive: Arrive, alice: str) -> None:
    """zipdownload's link gives a ZIP file of both, byte for byte, with a Japanese name."""
    files = {"見積.bin": bytes(range(256)) * 40, "two.txt": b"second\r\nfile\r\n"}
    message = make(STRANGER, [alice], attachments=list(files.items()))
    _arrived(world, arrive, message, alice)
    shown = desk.read(message.marker)
    link = shown.locator("a.zipdownload")
    expect(link).to_be_visible()
    with desk.page.expect_download() as given:
        link.click()
    with zipfile.ZipFile(io.BytesIO(given.value.path().read_bytes())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


@pytest.mark.req("R-4.4-plugins")
def test_no_password_change_is_offered(desk: Desk) -> None:
    """Passwords are kept by scripts on the host, so there is neither a button nor a form for one (F67)."""
    desk.go("settings")
    sections = desk.page.locator("#settings-menu li")
    expect(sections.filter(has_text="設定")).to_be_visible()
    assert [words for words in sections.all_inner_texts() if "パスワード" in words] == []
    desk.go("settings", action="plugin.password")
    expect(desk.page.locator("[name=_newpasswd]")).to_have_count(0)
    desk.go("settings", action="edit-prefs", section="general")
    expect(desk.page.locator("[name=_time_format]")).to_have_count(1)
