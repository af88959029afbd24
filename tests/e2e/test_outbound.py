"""Mail that users send: through SendGrid and nowhere else, signed; local mail stays at home (design 7.2)."""

import re
from collections.abc import Iterator
from typing import Unpack

import dkim  # type: ignore[import-untyped]
import pytest

from fixtures import plan
from fixtures.engine.containers import get
from fixtures.engine.execute import execute
from fixtures.internet.sendgrid.client import Switches
from fixtures.mail.headers import parse, trace
from fixtures.mail.message import japanese, make
from fixtures.mail.outcome import Verdict
from fixtures.site import load_site
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from tests.e2e.alerted import looking_by_hand
from tests.e2e.conftest import Deliver, Submit
from tests.e2e.outgoing import try_now, wait_for_attempts

DOMAINS = load_site(ROOT / "site.toml").mail.domains
FOREIGN = "friend@example.net"


@pytest.mark.req("R-7.2-goes-out", "R-5.1-signed")
@pytest.mark.parametrize("domain", DOMAINS)
def test_foreign_mail_goes_out_signed_through_sendgrid(world: Sim, submit: Submit, domain: str) -> None:
    """Accepted on 587, handed to SendGrid over TLS as ``apikey``, DKIM-signed for the domain, delivered."""
    user = f"alice@{domain}"
    message = japanese(user, [FOREIGN])
    outcome = submit(message, [FOREIGN], user=user)
    assert outcome.accepted, outcome
    received = world.receiver.wait_for_message(FOREIGN, message.marker)
    accepted = world.sendgrid.wait_for_message(message.marker)
    assert accepted.last(FOREIGN).kind == "delivered"

    def published(name: bytes, timeout: int = 5) -> bytes:
        answer = " ".join(world.nameserver.lookup(name.decode().rstrip("."), "TXT"))
        return "".join(re.findall(r'"([^"]*)"', answer)).encode()

    assert dkim.verify(received, dnsfunc=published), received.decode(errors="replace")
    assert parse(received)["DKIM-Signature"].replace(" ", "").find(f"d={domain};") >= 0
    assert not dkim.verify(received.replace(b"Subject:", b"Subject: x", 1), dnsfunc=published)


@pytest.mark.req("R-4.2-by-smarthost")
def test_sendgrid_saw_tls_and_the_api_key(world: Sim, submit: Submit, alice: str) -> None:
    """The session behind a message: from the home line, TLS 1.2 or better, user ``apikey`` (F58 to F61)."""
    before = len(world.sendgrid.sessions())
    message = make(alice, [FOREIGN])
    assert submit(message, [FOREIGN], user=alice).accepted
    world.sendgrid.wait_for_message(message.marker)
    sessions = world.sendgrid.sessions()[before:]
    assert sessions != []
    assert {(s.client, s.user, s.authenticated) for s in sessions} == {(plan.DELL_WAN, "apikey", True)}
    assert {s.tls for s in sessions} <= {"TLSv1.2", "TLSv1.3"}


@pytest.mark.req("R-4.2-only-smarthost")
def test_the_receivers_only_peer_was_sendgrid(world: Sim, submit: Submit, alice: str) -> None:
    """The foreign host got the message from SendGrid's address, never from the home line (design 7.2)."""
    message = make(alice, [FOREIGN])
    assert submit(message, [FOREIGN], user=alice).accepted
    received = world.receiver.wait_for_message(FOREIGN, message.marker)
    assert trace(received)[0].client == plan.SENDGRID


@pytest.fixture
def no_alerts(world: Sim) -> Iterator[None]:
    """The server writes nothing of its own: an alert to the administrator goes by SendGrid, too."""
    with looking_by_hand(world):
        yield


@pytest.mark.req("R-4.2-local-stays")
@pytest.mark.usefixtures("no_alerts")
def test_local_mail_never_leaves_the_server(world: Sim, submit: Submit, alice: str, site: object) -> None:
    """Between the site's own users and domains SendGrid is not asked (F80)."""
    other = f"alice@{DOMAINS[1]}"
    message = make(alice, [other])
    before = len(world.sendgrid.sessions())
    assert submit(message, [other], user=alice).accepted
    world.mailbox("imap", other).wait_for(message.marker)
    assert world.sendgrid.messages(message.marker) == []
    assert len(world.sendgrid.sessions()) == before


@pytest.mark.req("R-4.2-password-checked")
def test_a_wrong_password_is_refused(world: Sim, deliver: Deliver, alice: str) -> None:
    """535, and the right password of that very user is taken right after."""
    pc = world.vantage("tailnet-pc")
    message = make(alice, [FOREIGN])
    for password, taken in (("wrong", False), (world.passwords[alice], True)):
        outcome = deliver(
            pc, world.server, 587, message, alice, [FOREIGN],
            tls="starttls", auth=(alice, password), ca=world.ca,
        )  # fmt: skip
        assert outcome.accepted is taken, outcome
        if not taken:
            assert (outcome.phase, outcome.code) == ("auth", 535), outcome


@pytest.mark.req("R-4.2-own-address-only")
def test_a_user_cannot_send_as_another(world: Sim, submit: Submit, alice: str, bob: str) -> None:
    """Logged in as Alice, Bob's address is refused as sender (F50)."""
    outcome = submit(make(bob, [FOREIGN]), [FOREIGN], user=alice, sender=bob)
    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, 553), outcome
    assert submit(make(bob, [FOREIGN]), [FOREIGN], user=bob).accepted


def waits_without_a_login(
    world: Sim, submit: Submit, user: str, why: str, **switches: Unpack[Switches]
) -> None:
    """What ``user`` sends waits, with ``why`` in the log, while SendGrid is as switched; after that it goes.

    SendGrid was spoken to, and saw neither a login nor the message.
    """
    message = make(user, [FOREIGN])
    before = len(world.sendgrid.sessions())
    with world.sendgrid.switched(**switches):
        outcome = submit(message, [FOREIGN], user=user)
        assert outcome.accepted, outcome
        assert outcome.queue_id
        [first, *_] = wait_for_attempts(world, outcome.queue_id, FOREIGN, 1)
        assert first.startswith("deferred ("), first
        assert why in first
        sessions = world.sendgrid.sessions()[before:]
        assert sessions != []
        assert [s for s in sessions if s.authenticated or s.user] == []
        assert world.sendgrid.messages(message.marker) == []
    try_now(world)
    world.receiver.wait_for_message(FOREIGN, message.marker)


@pytest.mark.req("R-4.2-smarthost-verified", "R-4.2-waiting-mail-goes")
def test_a_wrong_certificate_at_sendgrid_gets_no_key(world: Sim, submit: Submit, alice: str) -> None:
    """Who answers as SendGrid without its certificate sees neither key nor message (F61)."""
    waits_without_a_login(world, submit, alice, "Server certificate not verified", certificate="wrong")


@pytest.mark.req("R-4.2-smarthost-bad-tls")
@pytest.mark.parametrize(
    ("switches", "why"),
    [
        pytest.param({"certificate": "unknown"}, "Server certificate not verified", id="unknown"),
        pytest.param({"certificate": "expired"}, "Server certificate not verified", id="expired"),
        pytest.param({"tls": "none"}, "TLS is required, but was not offered", id="none"),
        pytest.param({"tls": "old"}, "Cannot start TLS: handshake failure", id="old"),
        pytest.param({"tls": "weak"}, "Cannot start TLS: handshake failure", id="weak"),
    ],
)
def test_bad_tls_at_sendgrid_gets_no_key(
    world: Sim, submit: Submit, alice: str, switches: Switches, why: str
) -> None:
    """Unknown authority, expired certificate, no TLS, TLS 1.1 or CBC alone: the mail waits (F61, F73)."""
    waits_without_a_login(world, submit, alice, why, **switches)


@pytest.mark.req("R-0-names-sealed")
def test_no_host_of_the_world_answers_for_sendgrid_but_the_simulator(world: Sim) -> None:
    """``smtp.sendgrid.net`` is the simulator's address wherever one asks (D9)."""
    name = world.site.sendgrid.smtp_host
    seen = {
        place: execute(get(place), ["getent", "ahostsv4", name]).check().stdout.split()[0]
        for place in ("internet-host", "lan-host", "vpc-neighbour", "tailnet-pc", "dell")
    }
    for service in ("postfix", "rspamd", "roundcube"):
        asked = world.dell.run(["docker", "exec", f"mailserver-{service}", "getent", "ahostsv4", name])
        seen[service] = asked.stdout.split()[0]
    inside = world.gateway.container("pause")
    seen["task"] = execute(inside, ["getent", "ahostsv4", name]).check().stdout.split()[0]
    assert set(seen.values()) == {plan.SENDGRID}, seen
