"""Who receives the site's mail finds it genuine, by DMARC and by other people's tools (design 5.1)."""

import re

import dns.resolver
import pytest

from fixtures import plan
from fixtures.internet.zones import return_path_label
from fixtures.mail.headers import trace
from fixtures.mail.intact import added
from fixtures.mail.message import japanese, make
from fixtures.probe.resolver import resolver_at
from fixtures.probe.second_opinion import STARTING, complaints, judged
from fixtures.site import load_site
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from tests.e2e.conftest import Submit

DOMAINS = load_site(ROOT / "site.toml").mail.domains
FOREIGN = "friend@example.net"


@pytest.fixture
def asked(world: Sim) -> dns.resolver.Resolver:
    """DNS as a host on the Internet sees it."""
    return resolver_at(world.vantage("internet-host"), plan.DNS)


def envelope(world: Sim, received: bytes) -> tuple[str, str, str]:
    """Client, greeting and envelope sender with which the receiving host took a message, by its own word."""
    [hop, *_] = trace(received)
    assert hop.client
    assert hop.helo
    found = re.search(rf" {hop.queue_id}: from=<([^>]*)>", world.receiver.log())
    assert found, hop
    return hop.client, hop.helo, found[1]


@pytest.mark.req("R-5.1-dmarc-passes")
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_receivers_dmarc_check_passes(
    world: Sim, submit: Submit, asked: dns.resolver.Resolver, domain: str
) -> None:
    """By signature and by return path, each alone enough (F75); with both broken it fails, the control."""
    user = f"alice@{domain}"
    message = japanese(user, [FOREIGN])
    assert submit(message, [FOREIGN], user=user).accepted
    received = world.receiver.wait_for_message(FOREIGN, message.marker)
    client, helo, sender = envelope(world, received)
    assert sender.endswith(f"@{return_path_label(DOMAINS.index(domain))}.{domain}")

    def results(content: bytes, source: str) -> tuple[str, ...]:
        found = judged(content, asked, client=source, mail_from=sender, helo=helo)
        return found["spf"], found["dkim"], found["dmarc"]

    changed = received + b"-- \nA list's own words\n"
    assert results(received, client) == ("pass", "pass", "pass")
    assert results(received, plan.PEER_SENDER) == ("fail", "pass", "pass")
    assert results(changed, client) == ("pass", "fail", "pass")
    assert results(changed, plan.PEER_SENDER) == ("fail", "fail", "fail")
    other = received.replace(
        f"From: {user}".encode(), f"From: alice@{DOMAINS[DOMAINS.index(domain) - 1]}".encode()
    )
    assert results(other, client) == ("pass", "fail", "fail")


@pytest.mark.req("R-5.1-second-opinion")
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_checker_finds_the_domains_records_complete(asked: dns.resolver.Resolver, domain: str) -> None:
    """Three CNAMEs that lead somewhere, SPF, DMARC; one remark, on the policy to start with (F75 to F77)."""
    label = return_path_label(DOMAINS.index(domain))
    assert complaints(domain, label, asked) == [STARTING.format(domain=domain)]
    assert len(complaints("tailscale.com", label, asked)) >= 5


@pytest.mark.req("R-4.2-sender-kept")
@pytest.mark.parametrize("domain", DOMAINS)
def test_nobody_rewrites_the_sender(world: Sim, submit: Submit, domain: str) -> None:
    """SendGrid gets the author's own envelope sender and header, and nothing more than trace on top."""
    user = f"alice@{domain}"
    message = make(user, [FOREIGN], subject="x", body="y")
    assert submit(message, [FOREIGN], user=user).accepted
    taken = world.sendgrid.wait_for_message(message.marker)
    assert (taken.sender, taken.recipients) == (user, [FOREIGN])
    handed = world.sendgrid.content(taken.identity, as_received=True)
    assert added(message.content, handed) == ["received"]


@pytest.mark.req("R-4.2-local-stays", "R-4.2-sender-kept")
def test_each_recipient_goes_his_own_way(world: Sim, submit: Submit, alice: str) -> None:
    """One message to a neighbour and to a stranger: SendGrid hears of the stranger alone (F80)."""
    local = f"alice@{DOMAINS[2]}"
    message = make(alice, [local, FOREIGN])
    assert submit(message, [local, FOREIGN], user=alice).accepted
    world.mailbox("imap", local).wait_for(message.marker)
    world.receiver.wait_for_message(FOREIGN, message.marker)
    assert [item.recipients for item in world.sendgrid.messages(message.marker)] == [[FOREIGN]]
