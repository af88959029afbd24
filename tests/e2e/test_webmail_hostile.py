"""HTML mail at the webmail: nothing of it runs, nothing tells its author that it was read (design 4.4)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from fixtures import plan
from fixtures.authority import Authority
from fixtures.engine.containers import get
from fixtures.internet.pictures import pictures
from fixtures.mail.message import Message, new_marker
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world.state import RUN_DIR
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.webmail_browser import Desk

HOST = "pictures.example.org"
URL = f"https://{HOST}"
PAGE = f"""<html><head><title>An offer</title>
<style>@import url("{URL}/import"); .styled {{ background: url("{URL}/style") }}</style>
<link rel="stylesheet" href="{URL}/stylesheet">
<script>top.ran = "script"</script><script src="{URL}/script"></script></head>
<body onload="top.ran = 'onload'" background="{URL}/background">
<p class="styled">Dear reader, <b>MARKER</b></p>
<img src="{URL}/picture" alt="picture"><img src="data:image/png,nothing" onerror="top.ran = 'onerror'">
<img srcset="{URL}/srcset 1x" alt=""><p style="background-image: url('{URL}/inline')">words</p>
<video poster="{URL}/poster"></video><svg onload="top.ran = 'svg'"><image href="{URL}/svg"/></svg>
<iframe src="{URL}/frame"></iframe><object data="{URL}/object"></object><embed src="{URL}/embed">
<a id="trap" href="javascript:top.ran = 'link'">Press here</a>
<form action="{URL}/form"><input type="password" name="password"><button>Log in</button></form>
</body></html>"""
LOADED = ("/picture", "/style", "/inline", "/poster", "/frame", "/script", "/stylesheet")
"""Some of what a browser asks for when it shows the page as it is."""


def _letter(recipient: str) -> Message:
    marker = new_marker()
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = STRANGER, recipient, f"An offer {marker}"
    message["Date"], message["Message-ID"] = formatdate(), f"<{marker}@hosts.example.org>"
    message.set_content(PAGE.replace("MARKER", marker), subtype="html")
    return Message(marker, f"<{marker}@hosts.example.org>", message.as_bytes())


@pytest.fixture
def asked(world: Sim) -> Iterator[Callable[[], list[str]]]:
    """What the author's web server has been asked for."""
    issued = Authority.load(RUN_DIR / "ca").issue(HOST)
    world.nameserver.set_address(HOST, plan.INTERNET_HOST)
    try:
        with pictures(get("internet-host"), issued) as paths:
            yield paths
    finally:
        world.nameserver.set_address(HOST, None)


@pytest.mark.req("R-4.4-html-sanitised")
def test_html_mail_neither_runs_nor_calls_home(
    desk: Desk, world: Sim, arrive: Arrive, alice: str, asked: Callable[[], list[str]]
) -> None:
    """Shown as words; its pictures come on demand alone, its scripts never; the raw page does all of that."""
    message = _letter(alice)
    outcome = arrive(message, [alice])
    assert outcome.accepted, outcome
    world.mailbox("imap", alice).wait_for(message.marker)
    hosts: set[str | None] = set()
    desk.page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    shown = desk.read(message.marker)
    body = shown.locator("#messagebody")
    expect(body).to_contain_text(f"Dear reader, {message.marker}")
    desk.page.wait_for_load_state("networkidle")
    desk.picture("3-hostile")
    assert (asked(), hosts - {None, ""}) == ([], {world.server})
    assert body.locator("script, iframe, object, embed, form[action], [onload], [onerror]").count() == 0
    assert "javascript" not in (shown.locator("a", has_text="Press here").get_attribute("href") or "")

    shown.locator("#remote-objects-message a, #remote-objects-message button").first.click()
    wait_for("the wanted picture", asked, until=lambda all: "/picture" in all, timeout=timedelta(seconds=20))
    assert "/script" not in asked()
    assert desk.page.evaluate("window.ran") is None

    raw = desk.context.new_page()
    raw.set_content(PAGE)
    assert raw.evaluate("window.ran") is not None
    wait_for(
        "the raw page's requests", asked, until=lambda all: set(LOADED) <= set(all),
        timeout=timedelta(seconds=20),
    )  # fmt: skip
