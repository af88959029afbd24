"""The pipe to a browser: what is asked is answered, what happens meanwhile is kept, what breaks is said."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.proof.report import devtools
from fixtures.proof.report.browser import opened
from fixtures.proof.report.devtools import Browser, BrowserError, find_browser

pytestmark = pytest.mark.req("R-0-report-browser")

STAND_IN = """
import json, os
results = {
    "Target.createTarget": {"targetId": "T"},
    "Target.attachToTarget": {"sessionId": "S"},
    "Page.navigate": {"loaderId": "L"},
    "Runtime.evaluate": {"result": {"value": 7}},
}
def send(message):
    for byte in json.dumps(message).encode() + b"\\0":
        os.write(4, bytes([byte]))
asked = b""
while True:
    asked += os.read(3, 4096)
    while b"\\0" in asked:
        text, _, asked = asked.partition(b"\\0")
        message = json.loads(text)
        if message["method"] == "Crash":
            raise SystemExit
        if message["method"] == "Silence":
            continue
        if message["method"] == "Refuse":
            send({"id": message["id"], "error": {"message": "no such thing"}})
            continue
        if message["method"] == "Page.navigate":
            url = message["params"]["url"]
            for loader in ("of about:blank", "L"):
                send({"method": "Page.lifecycleEvent", "params": {"name": "load", "loaderId": loader}})
            send({"method": "Network.requestWillBeSent", "params": {"request": {"url": url}}})
            entry = {"level": "error", "text": "refused to load " + url}
            send({"method": "Log.entryAdded", "params": {"entry": entry}})
        send({"id": message["id"], "result": results.get(message["method"], {})})
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> list[str]:
    """A program that speaks the protocol's framing, byte by byte, and knows six commands."""
    script = tmp_path / "browser.py"
    script.write_text(STAND_IN)
    return [sys.executable, str(script)]


def test_a_page_is_opened_and_asked(stand_in: list[str]) -> None:
    """Answers find their questions; requests and errors that happened while loading are kept."""
    with opened("file:///page", 360, argv=stand_in) as page:
        assert page.evaluate("3 + 4") == 7
        assert page.requested() == ["file:///page"]
        assert page.complaints() == ["refused to load file:///page"]


@pytest.mark.parametrize(
    ("method", "words"), [("Crash", "ended during Crash"), ("Refuse", "Refuse: no such thing")]
)
def test_what_breaks_is_said(stand_in: list[str], method: str, words: str) -> None:
    """The error names the command; before it, the same browser answered."""
    with Browser(stand_in) as browser:
        assert browser.command("Target.createTarget") == {"targetId": "T"}
        with pytest.raises(BrowserError, match=words):
            browser.command(method)


def test_silence_ends(stand_in: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that does not answer is given up on, with the name of what was awaited."""
    with Browser(stand_in) as browser:
        assert browser.command("Any") == {}
        monkeypatch.setattr(devtools, "PATIENCE", timedelta(milliseconds=100))
        with pytest.raises(BrowserError, match=r"did not answer within .*: Silence"):
            browser.command("Silence")


def test_no_browser_names_the_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a machine without one; with one of the usual names on the path, that is found."""
    monkeypatch.delenv("MAILPROOF_BROWSER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserError, match="next step: "):
        find_browser()
    (tmp_path / "chromium").touch(mode=0o755)
    assert find_browser() == str(tmp_path / "chromium")
