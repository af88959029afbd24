"""A user at the webmail, as a browser without a screen: log in, write, send."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx

from fixtures.probe.http import client
from fixtures.probe.lines import PATIENCE, Spot


class Webmail:
    """A logged-in session."""

    def __init__(self, browser: httpx.Client) -> None:
        self._browser = browser

    def send(self, sender: str, recipient: str, subject: str) -> str:
        """Fill the form in, with ``sender`` as From (empty: as the form offers it), and return the answer."""
        opened = self._browser.get("/?_task=mail&_action=compose")
        while opened.is_redirect:
            opened = self._browser.get(opened.headers["location"])
        identity = re.search(r'<select[^>]*name="_from".*?<option value="(\d+)"', opened.text, re.DOTALL)
        token = re.search(r'"request_token":"([^"]+)"', opened.text)
        assert identity is not None, opened.text[:300]
        assert token is not None
        form = {
            "_token": token[1], "_task": "mail", "_action": "send", "_framed": "1",
            "_id": parse_qs(urlsplit(str(opened.url)).query)["_id"][0],
            "_from": sender or identity[1], "_to": recipient, "_subject": subject, "_message": "Hello.",
        }  # fmt: skip
        return self._browser.post("/?_task=mail&_framed=1", data=form).text


@contextmanager
def webmail(spot: Spot, user: str, password: str) -> Iterator[Webmail]:
    """Log in; an AssertionError when that does not work."""
    with client(spot.vantage, spot.tls, base_url=f"https://{spot.host}", timeout=PATIENCE) as browser:
        token = re.search(r'name="_token" value="([^"]+)"', browser.get("/").text)
        assert token is not None
        form = {"_token": token[1], "_task": "login", "_action": "login", "_user": user, "_pass": password}
        answer = browser.post("/?_task=login", data=form)
        assert answer.status_code == 302, answer.text[:300]
        yield Webmail(browser)
