"""The gateway role of the Postfix image: passes everything through, keeps nothing, relays for nobody else."""

import re
import smtplib
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from docker.models.containers import Container

from fixtures.engine.containers import remove
from fixtures.wait import wait_for
from tests.integration.compose.gateway import Gateway, commands
from tests.integration.compose.parts import DOMAIN, LIMIT, START, events

SENDER = "stranger@example.net"
TEXT = b"From: stranger@example.net\r\nSubject: hello\r\n\r\nhello\r\n"


@pytest.fixture
def server(gateway: Gateway) -> Iterator[Container]:
    """A scripted server that answers behind the forwarder."""
    yield gateway.double()
    remove(gateway.bench.place("behind"))


def _refusal(smtp: smtplib.SMTP, recipient: str) -> tuple[int, bytes]:
    smtp.ehlo()
    smtp.mail(SENDER)
    return smtp.rcpt(recipient)


@pytest.mark.req("R-7.1-later-when-down", "R-1.1-nothing-stored", "R-8.3.1-tunnel-checked")
def test_without_the_server_the_sender_is_told_to_come_again(gateway: Gateway) -> None:
    """Nothing behind the gateway: 4xx within seconds, and nothing is stored (F11)."""
    started = time.monotonic()
    with gateway.dial() as smtp:
        code, text = _refusal(smtp, f"alice@{DOMAIN}")
    assert 400 <= code < 500, (code, text)
    assert time.monotonic() - started < 15
    assert gateway.queue() == "Mail queue is empty"
    assert not gateway.healthy()


@pytest.mark.req("R-7.1-later-when-down")
def test_a_silent_server_means_4xx_within_30_seconds(gateway: Gateway) -> None:
    """A server that accepts connections and says nothing does not hold the sender for long (F11)."""
    gateway.double("--hang")
    with gateway.dial(timeout=40) as smtp:
        started = time.monotonic()
        code, _ = _refusal(smtp, f"alice@{DOMAIN}")
        took = time.monotonic() - started
    remove(gateway.bench.place("behind"))
    assert 400 <= code < 500
    assert 5 < took < 30


@pytest.mark.req("R-7.1-servers-own-answer", "R-1.1-nothing-stored", "R-6.2-plain-on-25")
def test_mail_gets_the_servers_own_answer(gateway: Gateway, server: Container) -> None:
    """250 is the server's 250 with the server's queue id; the gateway's queue stays empty (D1)."""
    with gateway.dial() as smtp:
        smtp.ehlo()
        smtp.mail(SENDER)
        smtp.rcpt(f"alice@{DOMAIN}")
        answer = smtp.data(TEXT)
    assert answer == (250, b"2.0.0 Ok: queued as DOUBLE1")
    assert gateway.queue() == "Mail queue is empty"
    assert gateway.healthy()


@pytest.mark.req("R-7.1-true-client")
def test_the_server_learns_who_the_client_is(gateway: Gateway, server: Container) -> None:
    """XFORWARD and the Received line carry the sender's true address (D5, F57)."""
    with gateway.dial() as smtp:
        smtp.sendmail(SENDER, [f"alice@{DOMAIN}"], TEXT)
    [message] = wait_for(
        "the server's double to have logged the message",
        lambda: [event["text"] for event in events(server) if event["event"] == "message"],
        timeout=timedelta(seconds=10),
    )
    forwarded = " ".join(line for line in commands(server) if line.startswith("XFORWARD"))
    assert f"ADDR={gateway.client_address}" in forwarded
    assert re.search(rf"Received: from client\.example\.net .*\[{gateway.client_address}\]\)", message)


@pytest.mark.req("R-7.1-unknown-refused")
def test_an_unknown_user_is_refused_in_the_session(gateway: Gateway, server: Container) -> None:
    """The server's 550 at RCPT reaches the sender; a known one on the same session is taken (F13)."""
    with gateway.dial() as smtp:
        code, _ = _refusal(smtp, f"unknown@{DOMAIN}")
        assert smtp.rcpt(f"alice@{DOMAIN}")[0] == 250
    assert code == 550


@pytest.mark.req("R-3.2-own-domains-only")
@pytest.mark.parametrize("recipient", ["x@example.net", f"x%example.net@{DOMAIN}x", f"x@sub.{DOMAIN}"])
def test_mail_for_others_is_refused(gateway: Gateway, server: Container, recipient: str) -> None:
    """Only the site's own domains pass (F14), in whatever notation; the server is not bothered."""
    with gateway.dial() as smtp:
        code, text = _refusal(smtp, recipient)
        assert smtp.rcpt("bob@second.example.org")[0] == 250
    assert (code, text[:5]) == (554, b"5.7.1")
    assert not any("example.net>" in line for line in commands(server) if line.startswith("RCPT"))


@pytest.mark.req("R-4.4-size-at-gateway")
def test_too_large_is_refused_before_it_is_sent(gateway: Gateway, server: Container) -> None:
    """The announced limit is the server's (F66): one byte more is refused at MAIL, the limit is not."""
    with gateway.dial() as smtp:
        smtp.ehlo()
        assert smtp.esmtp_features["size"] == str(LIMIT)
        assert smtp.mail(SENDER, [f"SIZE={LIMIT + 1}"])[0] == 552
        assert smtp.mail(SENDER, [f"SIZE={LIMIT}"])[0] == 250


@pytest.mark.req("R-6.2-starttls-on-25", "R-3.2-no-logins-on-25")
def test_the_internet_leg_is_encrypted_with_whoever_can(gateway: Gateway, server: Container) -> None:
    """STARTTLS with TLS 1.2 or later (F16); no logins are offered, before or after."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = (
        False,
        ssl.CERT_NONE,
    )  # public MX certificates are not verified
    with gateway.dial() as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        smtp.starttls(context=context)
        smtp.ehlo()
        assert smtp.sock is not None
        assert smtp.sock.version() in {"TLSv1.2", "TLSv1.3"}  # type: ignore[attr-defined]
        assert not smtp.has_extn("auth")
        assert _refusal(smtp, f"alice@{DOMAIN}")[0] == 250


@pytest.mark.req("R-6.2-no-old-tls-on-25")
def test_old_tls_is_refused(gateway: Gateway) -> None:
    """A client that knows nothing newer than TLS 1.1 gets no encrypted session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with gateway.dial() as smtp:
        smtp.ehlo()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            smtp.starttls(context=context)


@pytest.mark.req("R-8.3.1-tunnel-checked")
def test_health_follows_the_server_behind(gateway: Gateway) -> None:
    """The health check is green with the server, red as soon as it is gone (F17)."""
    gateway.double()
    wait_for("green with the server", gateway.healthy, timeout=START)
    remove(gateway.bench.place("behind"))
    assert not gateway.healthy()
