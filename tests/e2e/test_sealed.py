"""Nothing in a run reaches anything but its own containers (D9)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv6Address

import pytest
from docker.models.containers import Container

from fixtures.engine.client import engine
from fixtures.engine.containers import ContainerSpec, remove, start
from fixtures.engine.execute import execute
from fixtures.engine.labels import LABEL, labels, world_id
from fixtures.engine.networks import bridge_of
from fixtures.proof.recorders.reachability import record_connection
from fixtures.targets.sim import Sim

SUBNET_ROUTERS = {"10.0.1.1", "10.0.2.1"}
ROUTERS = {"198.18.0.1", "192.168.1.1"} | SUBNET_ROUTERS
ROUTERS6 = {"2001:db8:18::1:39", "2001:db8:192:1::1"}


@pytest.fixture
def outside(world: Sim) -> Iterator[str]:
    """A listener on this machine that belongs to none of the world's networks; yields its address."""
    spec = ContainerSpec("outside", world.state.images["toolbox"], command=["ncat", "-lk", "9999"])
    container = start(spec)
    container.reload()
    try:
        yield str(container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])
    finally:
        remove("outside")


@pytest.fixture
def bystander(world: Sim) -> Iterator[Container]:
    """A container that is not part of the world's networks either, and so reaches the listener."""
    yield start(ContainerSpec("bystander", world.state.images["toolbox"]))
    remove("bystander")


def _reaches(container: Container, address: str) -> bool:
    argv = ["timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{address}/9999"]
    return execute(container, argv).status == 0


def _places(world: Sim) -> dict[str, Container]:
    """Every container with a network namespace of its own."""
    return {
        container.labels["mailproof.place"]: container
        for container in world.containers()
        if not container.attrs["HostConfig"]["NetworkMode"].startswith("container:")
    }


@pytest.mark.req("R-0-sealed")
def test_no_place_reaches_what_is_outside_the_world(world: Sim, outside: str, bystander: Container) -> None:
    """No packet of any place comes to a listener on this very machine; a bystander's does."""
    assert _reaches(bystander, outside)
    places = {name: c for name, c in _places(world).items() if name not in {"outside", "bystander"}}
    assert {"dell", "internet-host", "igw", "ntt-router", "dns", "sendgrid", "moto", "localstack"} <= set(
        places
    )
    with ThreadPoolExecutor(max_workers=len(places)) as pool:
        reached = dict(pool.map(lambda item: (item[0], _reaches(item[1], outside)), places.items()))
    for name, success in reached.items():
        record_connection(name, "outside the world", 9999, expected=False, connected=success)
    assert [name for name, success in reached.items() if success] == []


@pytest.mark.req("R-0-sealed")
def test_default_routes_lead_to_simulated_routers_only(world: Sim) -> None:
    """A place's default route is a router of the world, or there is none."""
    seen = set()
    for name, container in _places(world).items():
        routes = execute(container, ["cat", "/proc/net/route"]).check().stdout.splitlines()[1:]
        gateways = {
            _address(fields[2])
            for fields in map(str.split, routes)
            if fields[1] == "00000000" and fields[0] != "*"
        }
        assert gateways <= ROUTERS, (name, gateways)
        seen |= gateways
    # Fargate chooses a subnet for the task; the other one may have nobody in it.
    assert seen - SUBNET_ROUTERS == ROUTERS - SUBNET_ROUTERS
    assert seen & SUBNET_ROUTERS


@pytest.mark.req("R-0-sealed")
def test_default_routes_by_ipv6_lead_to_the_home_router_only(world: Sim) -> None:
    """Some places have IPv6; the way out of their network is a leg of the home router, or there is none."""
    seen = set()
    for name, container in _places(world).items():
        argv = ["sh", "-c", "cat /proc/net/ipv6_route 2>/dev/null || true"]
        routes = map(str.split, execute(container, argv).check().stdout.splitlines())
        gateways = {
            str(IPv6Address(bytes.fromhex(fields[4])))
            for fields in routes
            if fields[1] == "00" and fields[9] != "lo"
        }
        assert gateways <= ROUTERS6, (name, gateways)
        seen |= gateways
    assert seen == ROUTERS6


@pytest.mark.req("R-0-sealed")
@pytest.mark.usefixtures("bystander")
def test_this_machine_has_no_ipv6_address_on_the_worlds_bridges(world: Sim) -> None:
    """No place can reach it by a link-local address; it has one on other bridges, as the bystander's."""
    own = {"label": f"{LABEL}={world_id()}"}
    ours = {bridge_of(network) for network in engine().networks.list(filters=own)}
    asked = engine().containers.run(
        world.state.images["toolbox"],
        ["-6", "-oneline", "address", "show"],
        entrypoint=["ip"],
        network_mode="host",
        labels=labels("looker"),
        remove=True,
    )
    having = {line.split()[1] for line in asked.decode().splitlines()}
    assert len(ours) >= 4
    assert having & ours == set()
    assert "docker0" in having


def _address(hexadecimal: str) -> str:
    """The kernel's little-endian notation as dotted quad."""
    return ".".join(str(octet) for octet in reversed(bytes.fromhex(hexadecimal)))
