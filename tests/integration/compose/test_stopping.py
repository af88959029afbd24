"""Postfix is told to stop while it is at work: what has begun is finished, and nothing new begins."""

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from fixtures.wait import wait_for
from tests.integration.compose.core import ALICE, Core, letter
from tests.integration.compose.parts import wait_until_healthy

CHECK = "/usr/local/bin/server-healthcheck"


def _greeting(core: Core) -> str:
    """The first three characters that a new client hears."""
    with socket.create_connection((core.addresses["postfix"], 2525), 5) as client:
        return client.recv(100).decode()[:3]


@pytest.mark.req("R-1.2.2-stopped-in-order")
def test_a_message_that_is_being_sent_is_taken_and_delivered_once(core: Core) -> None:
    """The session under way gets its 250, a new one is put off; the container ends without being killed."""
    postfix = core.services["postfix"]
    content = letter("sent while stopping").as_bytes().replace(b"\n", b"\r\n")
    try:
        with ThreadPoolExecutor(1) as pool, core.inbound() as smtp:
            smtp.ehlo()
            assert smtp.mail("stranger@example.net")[0] == 250
            assert smtp.rcpt(ALICE)[0] == 250
            assert smtp.docmd("DATA")[0] == 354
            assert _greeting(core) == "220"
            stopped = pool.submit(postfix.stop, timeout=40)
            wait_for(
                "newcomers to be put off",
                lambda: _greeting(core),
                until=lambda code: code == "450",
                timeout=timedelta(seconds=10),
            )
            smtp.send(content + b"\r\n.\r\n")
            assert smtp.getreply()[0] == 250
            smtp.quit()
            stopped.result(timeout=40)
        postfix.reload()
        assert postfix.attrs["State"]["ExitCode"] == 0
        assert len(core.found(ALICE, "sent while stopping")) == 1
    finally:
        postfix.start()
        wait_until_healthy(postfix, CHECK)
    assert core.run("postfix", "postqueue", "-j").stdout == ""
    assert len(core.found(ALICE, "sent while stopping")) == 1
