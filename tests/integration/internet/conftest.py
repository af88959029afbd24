"""The lab with all its places, started once for all tests of this folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.engine.containers import ContainerSpec, published_port
from fixtures.engine.images import build_all
from fixtures.internet.nameserver import NameServer, dns_spec
from fixtures.internet.peers import (
    RECEIVER_DOMAINS,
    RECEIVER_HOST,
    SENDER_DOMAINS,
    SENDER_HOST,
    Peer,
    peer_spec,
)
from fixtures.internet.routers import InternetGateway, igw_spec, ntt_router_spec, wait_for_router
from fixtures.internet.sendgrid.client import SendGrid
from fixtures.internet.sendgrid.keys import DkimKey
from fixtures.internet.sendgrid.spec import CONTROL_PORT, new_api_key, sendgrid_spec
from fixtures.internet.vantages import SOCKS_PORT, vantage_spec
from fixtures.internet.zones import zones
from fixtures.site import Site, load_site
from fixtures.vantage import Vantage
from fixtures.world.images import catalogue
from tests.integration.internet.lab import Lab, Range, lab

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Keys:
    """API keys by what they may do."""

    sending: str
    statistics: str


@pytest.fixture(scope="session")
def site() -> Site:
    """The repository's site file."""
    return load_site(ROOT / "site.toml")


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Two keys of this run."""
    return Keys(new_api_key(), new_api_key())


@pytest.fixture(scope="session")
def dkim_key() -> DkimKey:
    """The account's DKIM key of this run."""
    return DkimKey.create()


@pytest.fixture(scope="session")
def internet(site: Site, keys: Keys, dkim_key: DkimKey) -> Iterator[Lab]:
    """The running lab."""
    needed = {name: catalogue()[name] for name in ("router", "dns", "peer", "sendgrid", "toolbox")}
    build_all(needed.values())
    tags = {name: image.tag for name, image in needed.items()}
    with lab() as made:
        made.start_all(_routers_and_names(made, site, dkim_key, tags))
        made.start_all(_hosts(made, site, keys, dkim_key, tags))
        for router in ("igw", "ntt-router"):
            wait_for_router(made.container(router))
        NameServer(made.container("dns")).wait_until_ready()
        for peer in ("peer-sender", "peer-receiver"):
            Peer(made.container(peer)).wait_until_ready()
        yield made


def _routers_and_names(made: Lab, site: Site, dkim_key: DkimKey, tags: dict[str, str]) -> list[ContainerSpec]:
    outside = made.internet
    return [
        igw_spec(
            tags["router"],
            internet=outside.name,
            vpc=made.vpc.name,
            outer=outside[1],
            inner=made.vpc[2],
            subnet_routers=(made.vpc[101], made.vpc[102]),
            inner_net=made.vpc.subnet,
            dns=outside[53],
        ),
        ntt_router_spec(
            tags["router"],
            internet=outside.name,
            lan=made.lan.name,
            outer=outside[39],
            inner=made.lan[1],
            inner_net=made.lan.subnet,
            upstream=outside[1],
            dns=outside[53],
        ),
        dns_spec(
            tags["dns"],
            zones(
                site,
                {"s1": dkim_key.public, "s2": dkim_key.public},
                nameserver=outside[53],
                sendgrid=outside[87],
                peer_sender=outside[10],
                peer_receiver=outside[20],
                internet=".".join(outside[0].split(".")[:2]) + ".0.0/16",
            ),
            internet=outside.name,
            address=outside[53],
            gateway=outside[1],
        ),
    ]


def _hosts(made: Lab, site: Site, keys: Keys, dkim_key: DkimKey, tags: dict[str, str]) -> list[ContainerSpec]:
    outside = made.internet
    gateway, nameserver = outside[1], outside[53]

    def peer(place: str, host: str, domains: tuple[str, ...], address: str) -> ContainerSpec:
        return peer_spec(
            place,
            tags["peer"],
            host,
            domains,
            made.authority,
            address=address,
            internet=outside.name,
            gateway=gateway,
            nameserver=nameserver,
        )

    def vantage(place: str, network: Range, number: int, router: str, resolver: str) -> ContainerSpec:
        addresses = {network.name: network[number]}
        ca = made.authority.certificate_pem
        return vantage_spec(place, tags["toolbox"], addresses, router, resolver, ca)

    return [
        peer("peer-sender", SENDER_HOST, SENDER_DOMAINS, outside[10]),
        peer("peer-receiver", RECEIVER_HOST, RECEIVER_DOMAINS, outside[20]),
        sendgrid_spec(
            tags["sendgrid"],
            site,
            made.authority,
            dkim_key.private,
            {keys.sending: frozenset({"mail.send"}), keys.statistics: frozenset({"stats.read"})},
            internet=outside.name,
            address=outside[87],
            gateway=gateway,
            nameserver=nameserver,
        ),
        vantage("internet-host", outside, 31, gateway, nameserver),
        vantage("vpc-neighbour", made.vpc, 20, made.vpc[101], made.vpc[2]),
        vantage("vpc-hidden", made.vpc, 21, made.vpc[102], made.vpc[2]),
        vantage("lan-host", made.lan, 50, made.lan[1], made.lan[1]),
    ]


def _vantage(made: Lab, name: str) -> Vantage:
    return Vantage(name, "127.0.0.1", published_port(made.place(name), SOCKS_PORT))


@pytest.fixture(scope="session")
def internet_host(internet: Lab) -> Vantage:
    """A stranger on the Internet."""
    return _vantage(internet, "internet-host")


@pytest.fixture(scope="session")
def vpc_neighbour(internet: Lab) -> Vantage:
    """A host in the VPC that will have a public address."""
    return _vantage(internet, "vpc-neighbour")


@pytest.fixture(scope="session")
def vpc_hidden(internet: Lab) -> Vantage:
    """A host in the VPC that never has a public address."""
    return _vantage(internet, "vpc-hidden")


@pytest.fixture(scope="session")
def lan_host(internet: Lab) -> Vantage:
    """A host behind the home router."""
    return _vantage(internet, "lan-host")


@pytest.fixture(scope="session")
def gateway(internet: Lab) -> InternetGateway:
    """The Internet gateway's translation table."""
    return InternetGateway(internet.container("igw"))


@pytest.fixture(scope="session")
def name_server(internet: Lab) -> NameServer:
    """The name server."""
    return NameServer(internet.container("dns"))


@pytest.fixture(scope="session")
def receiver(internet: Lab) -> Peer:
    """The foreign host that receives."""
    return Peer(internet.container("peer-receiver"))


@pytest.fixture(scope="session")
def sender(internet: Lab) -> Peer:
    """The foreign host that sends."""
    return Peer(internet.container("peer-sender"))


@pytest.fixture
def sendgrid(internet: Lab) -> Iterator[SendGrid]:
    """SendGrid, with nothing seen and no fault on, before and after."""
    port = published_port(internet.place("sendgrid"), CONTROL_PORT)
    simulator = SendGrid(f"http://127.0.0.1:{port}")
    simulator.wait_until_ready()
    simulator.forget()
    yield simulator
    simulator.forget()
