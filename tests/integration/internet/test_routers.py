"""The routers: who reaches whom, and what they rewrite."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fixtures.engine.execute import execute
from fixtures.internet.routers import InternetGateway
from fixtures.internet.vantages import SOCKS_PORT
from fixtures.probe.reach import Answer, probe
from fixtures.vantage import Vantage
from tests.integration.internet.lab import Lab

pytestmark = pytest.mark.req("R-0-routers")

SHORT = timedelta(seconds=1.5)
PUBLIC = "198.19.0.7"
UNUSED = "198.19.0.8"


@pytest.fixture
def public_neighbour(internet: Lab, gateway: InternetGateway) -> Iterator[str]:
    """The public address of the VPC neighbour, for as long as the test runs."""
    private = internet.vpc[20]
    gateway.associate(PUBLIC, private)
    yield PUBLIC
    gateway.disassociate(PUBLIC, private)


def test_public_address_leads_to_its_host_only_while_associated(
    internet: Lab, gateway: InternetGateway, internet_host: Vantage
) -> None:
    """A public address answers while it is associated, and not before or after."""
    private = internet.vpc[20]
    assert probe(internet_host, PUBLIC, SOCKS_PORT, SHORT) is Answer.FILTERED
    gateway.associate(PUBLIC, private)
    assert probe(internet_host, PUBLIC, SOCKS_PORT, SHORT) is Answer.OPEN
    gateway.disassociate(PUBLIC, private)
    assert probe(internet_host, PUBLIC, SOCKS_PORT, SHORT) is Answer.FILTERED


def test_refused_and_unanswered_ports_differ(internet_host: Vantage, public_neighbour: str) -> None:
    """A closed port of a reachable host refuses; an address that nobody has says nothing."""
    assert probe(internet_host, public_neighbour, SOCKS_PORT + 1, SHORT) is Answer.REFUSED
    assert probe(internet_host, UNUSED, SOCKS_PORT + 1, SHORT) is Answer.FILTERED


def test_vpc_is_not_reached_by_private_address(
    internet: Lab, internet_host: Vantage, public_neighbour: str
) -> None:
    """The Internet reaches a VPC host by its public address, never by its private one."""
    assert probe(internet_host, public_neighbour, SOCKS_PORT, SHORT) is Answer.OPEN
    assert probe(internet_host, internet.vpc[20], SOCKS_PORT, SHORT) is Answer.FILTERED


def test_vpc_gets_out_with_a_public_address_only(
    internet: Lab, vpc_neighbour: Vantage, vpc_hidden: Vantage, public_neighbour: str
) -> None:
    """A VPC host with a public address gets out, its neighbour without one does not."""
    target = internet.internet[31]
    assert probe(vpc_neighbour, target, SOCKS_PORT, SHORT) is Answer.OPEN
    assert probe(vpc_hidden, target, SOCKS_PORT, SHORT) is Answer.FILTERED


@pytest.mark.usefixtures("public_neighbour")
def test_vpc_cannot_send_mail_directly(internet: Lab, vpc_neighbour: Vantage, lan_host: Vantage) -> None:
    """Outbound port 25 is blocked for the VPC, while the same host answers others on it (F13)."""
    mail_host = internet.internet[20]
    assert probe(lan_host, mail_host, 25, SHORT) is Answer.OPEN
    assert probe(vpc_neighbour, mail_host, 25, SHORT) is Answer.FILTERED


def test_home_router_lets_out_and_nothing_in(
    internet: Lab, lan_host: Vantage, internet_host: Vantage
) -> None:
    """The LAN reaches the Internet; the Internet reaches neither the LAN nor a port of the router (F52)."""
    assert probe(lan_host, internet.internet[31], SOCKS_PORT, SHORT) is Answer.OPEN
    assert probe(internet_host, internet.lan[50], SOCKS_PORT, SHORT) is Answer.FILTERED
    assert probe(internet_host, internet.internet[39], SOCKS_PORT, SHORT) is Answer.FILTERED


def test_home_router_keeps_the_source_port(internet: Lab) -> None:
    """A datagram from the LAN leaves with the router's address and the port it came with."""
    argv = [
        "timeout",
        "5",
        "socat",
        "-u",
        "UDP-RECVFROM:45000",
        "SYSTEM:echo $SOCAT_PEERADDR $SOCAT_PEERPORT",
    ]
    listener, lan = internet.container("internet-host"), internet.container("lan-host")
    target = f"UDP-SENDTO:{internet.internet[31]}:45000,bind=:41641"
    send = f"for _ in 1 2 3 4 5; do echo hello | socat -u - {target}; sleep 0.3; done"
    execute(lan, ["sh", "-c", f"({send}) >/dev/null 2>&1 &"]).check()
    seen = execute(listener, argv).stdout.split()
    assert seen == [internet.internet[39], "41641"]


@pytest.mark.parametrize("place", ["vpc-neighbour", "vpc-hidden", "lan-host"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_routers_answer_name_queries(internet: Lab, place: str, transport: str) -> None:
    """Each inner network's resolver address answers, also for a host that does not get out otherwise."""
    argv = ["dig", "+short", "+time=2", transport, "mx.example.net"]
    answer = execute(internet.container(place), argv).check().stdout.split()
    assert answer == [internet.internet[20]]
