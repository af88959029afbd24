"""A small Internet for these tests: the places of the world's, on ranges that the engine has free."""

import ipaddress
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network

from fixtures.authority import Authority
from fixtures.engine import containers
from fixtures.engine.client import engine
from fixtures.engine.containers import ContainerSpec
from fixtures.engine.labels import labels
from fixtures.engine.networks import MANAGEMENT, SealedNetwork, create_management

PREFIX = "it-internet"


@dataclass(frozen=True)
class Range:
    """One sealed network of the lab and its addresses by number."""

    name: str
    subnet: str

    def __getitem__(self, number: int) -> str:
        """The address with this number, counted from the network's own."""
        return str(ipaddress.ip_network(self.subnet)[number])


@dataclass(frozen=True)
class Lab:
    """The running lab: its ranges, its authority, and its places by the names they have in the world."""

    internet: Range
    vpc: Range
    lan: Range
    authority: Authority

    def start(self, spec: ContainerSpec) -> Container:
        """Start a place under a name that no world uses."""
        return containers.start(replace(spec, place=self.place(spec.place)))

    def start_all(self, specs: list[ContainerSpec]) -> None:
        """Start several places at the same time."""
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(self.start, specs))

    def place(self, name: str) -> str:
        """The lab's name for one of the world's places."""
        return f"{PREFIX}-{name}"

    def container(self, name: str) -> Container:
        """The running container of a place."""
        return containers.get(self.place(name))


@contextmanager
def lab() -> Iterator[Lab]:
    """Networks that exist as long as the block lasts; every place started in them goes too."""
    with ExitStack() as stack:
        if not engine().networks.list(names=[MANAGEMENT]):
            stack.callback(_discard, create_management())
        internet, vpc, lan = (stack.enter_context(_sealed(name)) for name in ("internet", "vpc", "lan"))
        stack.callback(_discard_places)
        yield Lab(internet, vpc, lan, Authority.create())


@contextmanager
def _sealed(name: str) -> Iterator[Range]:
    """A sealed network on a range that the engine chose, given back at the end."""
    network, found = _claim(name)
    try:
        yield found
    finally:
        network.remove()


def _claim(name: str, tries: int = 5) -> tuple[Network, Range]:
    """Create the network on a free range; somebody else may be quicker, so a few times if need be."""
    scout = engine().networks.create(f"{PREFIX}-{name}-scout", labels=labels(name))
    scout.reload()
    subnet = scout.attrs["IPAM"]["Config"][0]["Subnet"]
    scout.remove()
    sealed = SealedNetwork(f"{PREFIX}-{name}", subnet, str(ipaddress.ip_network(subnet)[-2]))
    try:
        return sealed.create(), Range(sealed.full_name, subnet)
    except APIError as error:
        if tries <= 1 or "overlaps" not in str(error):
            raise
        return _claim(name, tries - 1)


def _discard_places() -> None:
    """Remove every container of the lab, however it ended."""
    found = engine().containers.list(all=True, filters={"name": f"-{PREFIX}-"}, ignore_removed=True)

    def remove(container: Container) -> None:
        container.remove(force=True, v=True)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(remove, found))


def _discard(management: Network) -> None:
    """Remove the management bridge that this lab made, unless somebody else has come to use it."""
    try:
        management.remove()
    except APIError as error:
        if "active endpoints" not in str(error):
            raise
