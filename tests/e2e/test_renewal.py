"""The certificate's renewal as the timer starts it: used by every server at once, or missed aloud (F72)."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from fixtures.authority import Authority
from fixtures.mail.mailbox import ImapMailbox
from fixtures.mail.message import Message
from fixtures.probe.tls import StartTls, TlsFacts, handshake
from fixtures.tailnet.coordinator import RATE_LIMITED
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world.state import RUN_DIR
from tests.e2e.conftest import Arrive

PORTS: dict[int, StartTls | None] = {443: None, 587: "smtp", 993: None, 995: None}
RELOADS = (
    ("mailserver-nginx", "nginx", "-c", "/run/mailserver/nginx.conf", "-s", "reload"),
    ("mailserver-dovecot", "doveadm", "reload"),
    ("mailserver-postfix", "postfix", "reload"),
)
TIMER = "mailserver-cert.timer"


def served(world: Sim) -> dict[int, TlsFacts]:
    """What each port presents to a device that connects now."""

    def look(port: int) -> TlsFacts:
        return handshake(
            world.vantage("tailnet-pc"), world.server, port, world.ssl_context, starttls=PORTS[port]
        )

    with ThreadPoolExecutor(max_workers=len(PORTS)) as pool:
        return dict(zip(PORTS, pool.map(look, PORTS), strict=True))


def wait_until_served(world: Sim, label: str, good: Callable[[int], bool]) -> set[int]:
    """The serial numbers that all ports present, once each of them is good."""

    def serials() -> set[int]:
        return {facts.serial for facts in served(world).values()}

    return wait_for(label, serials, until=lambda seen: all(map(good, seen)), timeout=timedelta(seconds=15))


@pytest.fixture
def unit(world: Sim) -> str:
    """The unit that the timer starts every day."""
    argv = ["systemctl", "show", "--property=Unit", "--value", TIMER]
    # On a machine under heavy load the engine has lost the output of a program that ends this soon.
    return wait_for(
        "the timer's unit", lambda: world.dell.run(argv).stdout.strip(), timeout=timedelta(seconds=5)
    )


@pytest.fixture
def running_out(world: Sim, unit: str) -> Iterator[int]:
    """The serial number of a certificate with 20 days left, which Tailscale keeps and every server presents.

    As a host is seventy days after a renewal. Afterwards a fresh one is in use.
    """
    old = Authority.load(RUN_DIR / "ca").issue(world.server, days=20)
    serial = x509.load_pem_x509_certificate(old.certificate).serial_number
    for stem in (f"/var/lib/tailscale/certs/{world.server}", "/opt/mailserver/data/certs/mailserver"):
        world.dell.put(f"{stem}.crt", old.certificate)
        world.dell.put(f"{stem}.key", old.key, 0o600)
    for argv in RELOADS:
        world.dell.run(["docker", "exec", *argv])
    wait_until_served(world, "the old certificate is in use", lambda seen: seen == serial)
    try:
        yield serial
    finally:
        world.dell.run(["systemctl", "start", unit])
        wait_until_served(world, "a fresh certificate is in use", lambda seen: seen != serial)


@pytest.mark.req("R-6.2-renewal")
def test_every_server_presents_the_new_certificate(
    world: Sim, arrive: Arrive, alice: str, letter: Callable[..., Message], unit: str, running_out: int
) -> None:
    """One new serial on all four ports, good for 60 days and more, and the open IMAP session lives on."""
    mailbox = world.mailbox("imap", alice)
    assert isinstance(mailbox, ImapMailbox)
    with mailbox.session() as session:
        session.select_folder("INBOX", readonly=True)
        session.idle()
        world.dell.run(["systemctl", "start", unit])
        renewed = wait_until_served(world, "the new certificate", lambda seen: seen != running_out)
        assert len(renewed) == 1
        message = letter(alice)
        assert arrive(message, [alice]).accepted
        assert session.idle_check(timeout=20) != []
        session.idle_done()
        assert len(session.search(["TEXT", message.marker])) == 1
    for facts in served(world).values():
        assert facts.not_after - datetime.now(UTC) > timedelta(days=60)


@pytest.mark.req("R-6.2-failed-renewal")
def test_a_failed_renewal_keeps_the_old_one_and_is_told(world: Sim, unit: str, running_out: int) -> None:
    """The unit fails in plain sight, the old certificate stays, and the administrator gets what it said."""
    why = f"{RATE_LIMITED}, retry after {secrets.token_hex(8)}"
    with world.controlplane.certificates_refused(why):
        assert world.dell.run(["systemctl", "start", unit], check=False).status != 0
    assert world.dell.run(["systemctl", "is-failed", unit], check=False).stdout.strip() == "failed"
    assert {facts.serial for facts in served(world).values()} == {running_out}
    alert = world.receiver.wait_for_message(world.site.mail.admin, why)
    assert f"Subject: [{world.site.mail.hostname}] {unit} has failed" in alert.decode()
