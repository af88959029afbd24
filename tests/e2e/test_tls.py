"""What the servers negotiate, on every port that speaks TLS, and what they show there (design 6.2)."""

import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.engine.containers import get
from fixtures.engine.execute import execute
from fixtures.mail.message import make
from fixtures.probe import testssl
from fixtures.probe.injection import NOOP, first_reply_inside
from fixtures.probe.suites import Suites, accepted_suites
from fixtures.probe.tls import StartTls, context, handshake, served_certificate
from fixtures.target import Target
from fixtures.targets.sim import Sim
from fixtures.vantage import Vantage
from tests.e2e.conftest import STRANGER, Deliver

# Mozilla's "intermediate" list as far as an ECDSA certificate can be used with it (F73).
REQUIRED = {
    "SSLv3": frozenset[str](),
    "TLSv1": frozenset[str](),
    "TLSv1.1": frozenset[str](),
    "TLSv1.2": frozenset(
        {
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        }
    ),
    "TLSv1.3": frozenset(
        {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
    ),
}


@dataclass(frozen=True)
class Port:
    """A port that speaks TLS, and the place that it is looked at from."""

    number: int
    place: str = "tailnet-pc"
    starttls: StartTls | None = None

    def host(self, target: Target) -> str:
        """The name that clients connect to."""
        return target.site.mail.mx_hostname if self.number == 25 else target.server


MX = Port(25, "internet-host", "smtp")
SUBMISSION = Port(587, starttls="smtp")
OF_THE_SERVER = (Port(443), SUBMISSION, Port(993), Port(995))


def _each(*ports: Port) -> pytest.MarkDecorator:
    """A spec for each port, with what it needs of a target."""
    needed = {port: pytest.mark.needs("internet" if port is MX else "tailnet") for port in ports}
    params = [pytest.param(port, marks=mark, id=str(port.number)) for port, mark in needed.items()]
    return pytest.mark.parametrize("port", params)


@pytest.mark.req("R-6.2-all-suites")
@pytest.mark.load
@_each(MX, *OF_THE_SERVER)
def test_the_required_suites_and_no_other(target: Target, port: Port) -> None:
    """TLS 1.2 and 1.3, forward secrecy and AEAD; nothing else that has a number is taken (F73)."""
    vantage, host = target.vantage(port.place), port.host(target)
    assert accepted_suites(vantage, host, port.number, starttls=port.starttls) == REQUIRED


@pytest.mark.req("R-6.2-all-suites")
def test_a_second_scanner_agrees(world: Sim) -> None:
    """testssl.sh, with suites and sockets of its own, finds the same at each program that serves."""

    def opinion(port: Port) -> Suites:
        def run(argv: Sequence[str]) -> str:
            return execute(get(port.place), argv).check().stdout

        return testssl.accepted_suites(run, port.host(world), port.number, starttls=port.starttls)

    ports = (MX, SUBMISSION, Port(443), Port(993))
    with ThreadPoolExecutor(max_workers=len(ports)) as pool:
        found = dict(zip((port.number for port in ports), pool.map(opinion, ports), strict=True))
    assert found == {port.number: REQUIRED for port in ports}


@pytest.mark.req("R-6.2-served-verifies")
@_each(*OF_THE_SERVER)
def test_what_is_served_verifies_and_lasts(target: Target, port: Port) -> None:
    """The target's CA, the MagicDNS name and no other, and as many days left as the renewal leaves (F72)."""
    facts = handshake(
        target.vantage(port.place), target.server, port.number, target.ssl_context, starttls=port.starttls
    )
    assert facts.names == (target.server,)
    assert facts.not_after - datetime.now(UTC) > timedelta(days=30)


@pytest.mark.req("R-6.2-served-verifies")
@pytest.mark.needs("internet")
def test_the_gateway_shows_its_own_name(target: Target, internet_host: Vantage) -> None:
    """Signed by itself, for the name that the MX records give, with a year left or more (F16)."""
    mx = target.site.mail.mx_hostname
    itself = context(served_certificate(internet_host, mx, 25, starttls="smtp"))
    facts = handshake(internet_host, mx, 25, itself, starttls="smtp")
    assert facts.names == (mx,)
    assert facts.not_after - datetime.now(UTC) > timedelta(days=365)
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        handshake(internet_host, mx, 25, target.ssl_context, starttls="smtp")


@pytest.mark.req("R-6.2-plain-on-25")
def test_a_sender_without_tls_still_delivers(world: Sim, deliver: Deliver, alice: str) -> None:
    """STARTTLS is on offer and optional: what comes in clear text is taken and read (F16)."""
    message = make(STRANGER, [alice])
    mx = world.site.mail.mx_hostname
    outcome = deliver(world.vantage("internet-host"), mx, 25, message, STRANGER, [alice], tls="none")
    assert outcome.accepted, outcome
    assert "starttls" in outcome.extensions
    assert outcome.tls is None
    world.mailbox("imap", alice).wait_for(message.marker)


@pytest.mark.req("R-6.2-starttls-injection")
@_each(MX, SUBMISSION)
def test_what_was_said_before_tls_is_forgotten(target: Target, port: Port) -> None:
    """A command slipped in behind STARTTLS gets no answer inside TLS; said inside, it gets its own."""
    vantage, host = target.vantage(port.place), port.host(target)
    pem = served_certificate(vantage, host, port.number, starttls="smtp")
    trusting = context(pem) if port is MX else target.ssl_context

    def first_reply(**said: bytes) -> bytes:
        return first_reply_inside(vantage.dial(host, port.number), trusting, host, **said)

    assert first_reply(injected=NOOP).startswith(b"250-")
    assert first_reply(injected=b"", inside=NOOP) == b"250 2.0.0 Ok\r\n"
