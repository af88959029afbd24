"""What the places are started with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.authority import Authority
from fixtures.engine.containers import ContainerSpec
from fixtures.internet.peers import attempts, peer_receiver_spec, peer_sender_spec
from fixtures.internet.routers import igw_spec, ntt_router_spec
from fixtures.internet.sendgrid.keys import DkimKey
from fixtures.internet.sendgrid.spec import new_api_key, sendgrid_spec
from fixtures.internet.vantages import vantage_spec
from fixtures.site import load_site

SITE = load_site(Path(__file__).resolve().parents[3] / "site.toml")
AUTHORITY = Authority.create()


@pytest.mark.req("R-0-world-plan")
def test_routers_hold_the_plan_s_addresses() -> None:
    """The gateway routes for both subnets and resolves for the VPC, the home router is the LAN's."""
    igw = igw_spec("router")
    ntt = ntt_router_spec("router")
    assert igw.place == "igw"
    assert igw.addresses == {"mailproof-net-internet": "198.18.0.1", "mailproof-net-vpc": "10.0.0.2"}
    assert igw.env["INNER_EXTRA"] == "10.0.1.1/16 10.0.2.1/16"
    assert igw.env["POOL_NET"] == "198.19.0.0/16"
    assert ntt.place == "ntt-router"
    assert ntt.addresses == {"mailproof-net-internet": "198.18.1.39", "mailproof-net-lan": "192.168.1.1"}
    assert ntt.env["UPSTREAM"] == "198.18.0.1"
    assert (ntt.env["OUTER6"], ntt.env["INNER6"]) == ("2001:db8:18::1:39/64", "2001:db8:192:1::1/64")
    assert ntt.options["sysctls"]["net.ipv6.conf.all.forwarding"] == "1"


@pytest.mark.req("R-0-secrets-hidden")
def test_no_secret_travels_in_the_environment() -> None:
    """Keys reach SendGrid as files: neither environment nor command line contains them."""
    key = new_api_key()
    dkim_key = DkimKey.create()
    spec = sendgrid_spec("sendgrid", SITE, AUTHORITY, dkim_key.private, {key: frozenset({"mail.send"})})
    visible = repr((dict(spec.env), spec.command, dict(spec.options)))
    assert key.encode() in spec.files["/run/mailproof/sendgrid/config.json"]
    assert key not in visible
    assert "PRIVATE" not in visible


@pytest.mark.req("R-0-sendgrid-contract")
def test_api_keys_are_new_each_time() -> None:
    """Two keys are never the same."""
    assert new_api_key() != new_api_key()


@pytest.mark.req("R-0-vantage-socks")
def test_vantage_publishes_its_socks_port_alone() -> None:
    """A vantage offers its proxy on 1080, trusts the run's CA and has the route it was given."""
    spec = vantage_spec("lan-host", "toolbox", {"net": "192.168.1.50"}, "192.168.1.1", "192.168.1.1", b"pem")
    assert list(spec.publish) == [1080]
    assert spec.files == {"/run/mailproof/ca.crt": b"pem"}
    assert (spec.env["GATEWAY"], spec.env["NAMESERVER"]) == ("192.168.1.1", "192.168.1.1")


@pytest.mark.req("R-0-world-plan")
@pytest.mark.parametrize(
    ("make", "place", "address"),
    [(peer_receiver_spec, "peer-receiver", "198.18.2.20"), (peer_sender_spec, "peer-sender", "198.18.2.10")],
)
def test_peers_stand_where_the_zones_say(
    make: Callable[[str, Authority], ContainerSpec], place: str, address: str
) -> None:
    """Each peer has the address that its MX host name resolves to."""
    spec = make("peer", AUTHORITY)
    assert spec.place == place
    assert list(spec.addresses.values()) == [address]


LOG = """\
Nov 23 23:45:28 mail postfix/smtp[1175]: 644E0264173: to=<busy@example.com>, \
relay=mx.example.net[198.18.2.20]:25, delay=0.03, delays=0.01/0/0.01/0.01, dsn=4.2.1, \
status=deferred (host mx.example.net[198.18.2.20] said: 450 4.2.1 \
<busy@example.com>: Recipient address rejected: try later (in reply to RCPT TO command))
Nov 23 23:45:28 mail postfix/qmgr[1162]: 02D11264101: removed
Nov 23 23:45:29 mail postfix/smtp[1175]: 02D11264101: to=<erin@example.com>, orig_to=<e@example.com>, \
relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (connect to mx.example.net[198.18.2.20]:25: \
Connection timed out)
Nov 23 23:45:30 mail postfix/smtp[1175]: 644E0264173: to=<busy@example.com>, \
relay=mx.example.net[198.18.2.20]:25, delay=2, delays=2/0/0/0, dsn=2.0.0, \
status=sent (250 2.0.0 Ok: queued as 1049A264131)
"""


@pytest.mark.req("R-0-trace-read")
def test_attempts_are_read_from_the_log() -> None:
    """A message's attempts come in order, with the other host's words, and without other messages' ones."""
    found = attempts(LOG, "644E0264173")
    assert [(item.status, item.dsn, item.recipient) for item in found] == [
        ("deferred", "4.2.1", "busy@example.com"),
        ("sent", "2.0.0", "busy@example.com"),
    ]
    assert found[1].text == "250 2.0.0 Ok: queued as 1049A264131"
    assert [item.relay for item in attempts(LOG, "02D11264101")] == ["none"]
    assert attempts(LOG, "FFFF") == []
