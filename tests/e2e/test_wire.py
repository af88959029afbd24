"""What somebody sees who listens on the lines between gateway and Dell (design 1.1)."""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from fixtures import plan
from fixtures.engine.capture import capture, interface_of
from fixtures.engine.containers import get
from fixtures.engine.execute import execute
from fixtures.mail.message import make, new_marker
from fixtures.probe.pcap import Packet, holding, parse, wireguard_type
from fixtures.targets.sim import Sim
from fixtures.vantage import Vantage
from tests.e2e.conftest import STRANGER, Deliver

VERBS = ("EHLO ", "MAIL FROM:", "RCPT TO:")
BODY = "All of this is for nobody's eyes but the reader's.\n" * 600


@dataclass(frozen=True)
class Overheard:
    """One delivery as heard at the home line, at AWS's edge and inside the tunnel."""

    words: tuple[str, ...]
    control: str
    size: int
    public: str
    home: list[Packet]
    edge: list[Packet]
    inside: list[Packet]

    @property
    def between(self) -> list[Packet]:
        """What passed between the gateway's public address and the Dell's, at either end."""
        ends = {self.public, plan.DELL_WAN}
        return [packet for packet in (*self.home, *self.edge) if packet.hosts == ends]


@pytest.fixture
def overheard(world: Sim, deliver: Deliver, internet_host: Vantage, alice: str) -> Overheard:
    """A message comes in from the Internet without TLS, while both lines and the tunnel are recorded."""
    mx = world.site.mail.mx_hostname
    [public] = world.nameserver.lookup(mx)
    igw, home = get("igw"), get("ntt-router")
    message, control = make(STRANGER, [alice], body=BODY), new_marker()
    with ExitStack() as stack:
        line = stack.enter_context(capture(home, interface_of(home, plan.DELL_WAN)))
        edge = stack.enter_context(capture(igw, interface_of(igw, plan.INTERNET_ROUTER), "host", public))
        inside = stack.enter_context(capture(get("dell"), "tailscale0"))
        outcome = deliver(internet_host, mx, 25, message, STRANGER, [alice], tls="none")
        assert outcome.accepted, outcome
        execute(get("lan-host"), ["dig", "+time=2", "+tries=1", f"{control}.example.net"]).check()
    words = (message.marker, alice, *VERBS)
    captures = (parse(found.pcap) for found in (line, edge, inside))
    return Overheard(words, control, len(message.content), public, *captures)


@pytest.mark.req("R-1.1-only-wireguard-between")
def test_only_wireguard_passes_between_gateway_and_dell(overheard: Overheard) -> None:
    """Every packet is one of WireGuard's four messages, and the delivery went through them.

    The controls: marker, recipient and verbs stand in clear before the gateway, in the same recording, and
    behind the tunnel's end.
    """
    between = overheard.between
    assert [packet for packet in between if wireguard_type(packet) is None] == []
    for place in (overheard.home, overheard.edge):
        passed = [packet for packet in place if packet in between and packet.target == plan.DELL_WAN]
        assert sum(len(packet.payload) for packet in passed) > overheard.size
    assert holding(between, overheard.words) == {}
    assert set(holding(overheard.edge, overheard.words)) == set(overheard.words)
    assert set(holding(overheard.inside, overheard.words)) == set(overheard.words)


@pytest.mark.req("R-1.1-only-wireguard-between")
def test_the_home_line_shows_nothing_of_a_message(overheard: Overheard) -> None:
    """Whoever the other end is: name service, control plane, tunnels, all of it.

    The control is a word that a neighbour on the LAN asks the name service for at the same time.
    """
    # SendGrid's own leg greets before STARTTLS; what crosses it is another promise.
    line = [packet for packet in overheard.home if plan.SENDGRID not in packet.hosts]
    assert holding(line, overheard.words) == {}
    assert holding(line, [overheard.control]) != {}
