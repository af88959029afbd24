"""The picture of the world is what engines and kernels say, put together without a guess."""

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import DockerException

from fixtures.engine.execute import Result
from fixtures.engine.labels import LABEL, world_id
from fixtures.proof.recorders import look
from fixtures.proof.recorders.topology import Seen, World, describe, local_addresses, next_hops
from fixtures.proof.report.models import Topology

pytestmark = pytest.mark.req("R-0-report-recorders")

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t0000130A\t0201A8C0\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def trie(*addresses: str) -> str:
    """The part of /proc/net/fib_trie that a namespace with these addresses has, written twice as there."""
    lines = ["Main:", "  +-- 0.0.0.0/0 3 0 5", "     |-- 0.0.0.0", "        /0 universe UNICAST"]
    for address in ("127.0.0.1", *addresses):
        lines += [f"           |-- {address}", "              /32 host LOCAL"]
    return "\n".join([*lines, "     |-- 192.168.1.255", "        /32 link BROADCAST", *lines, ""])


def test_routes_with_a_next_hop_are_read() -> None:
    """The kernel writes addresses with their bytes reversed; a connected range has no next hop."""
    assert list(next_hops(ROUTES)) == [("default", "192.168.1.1"), ("10.19.0.0/16", "192.168.1.2")]


def test_addresses_are_read_once_without_loopback() -> None:
    """Broadcast addresses are not held by anybody."""
    assert local_addresses(ROUTES + trie("192.168.1.39", "100.64.0.10")) == ["192.168.1.39", "100.64.0.10"]


def test_places_are_put_on_their_networks() -> None:
    """By the engine's word or by an address; what shares a namespace has only what its owner has not."""
    world = World(
        [
            Seen("dell", "home server", "i", "running", ["lan"], ["tailnet"],
                 kernel=trie("192.168.1.39", "100.64.0.10")),
            Seen("task-1", "task", "i", "running", ["vpc"], kernel=ROUTES + trie("10.0.1.9")),
            Seen("task-1-tailscale", "container", "i", "running", (), ["tailnet"],
                 kernel=trie("10.0.1.9", "100.64.0.7"), shares="task-1"),
            Seen("dell/postfix", "service", "i", "running, healthy", ["inner"], addresses=["172.20.0.10"]),
        ],
        {"lan": "192.168.1.0/24", "vpc": "10.0.0.0/16", "tailnet": "100.64.0.0/10", "inner": "172.20.0.0/24"},
    )  # fmt: skip
    found = Topology.model_validate(describe(world))
    assert {place.name: (place.networks, place.addresses) for place in found.places} == {
        "dell": (("lan", "tailnet"), ("192.168.1.39", "100.64.0.10")),
        "task-1": (("vpc",), ("10.0.1.9",)),
        "task-1-tailscale": (("tailnet",), ("100.64.0.7",)),
        "dell/postfix": (("inner",), ("172.20.0.10",)),
    }
    assert [(route.place, route.to) for route in found.routes] == [
        ("task-1", "default"),
        ("task-1", "10.19.0.0/16"),
    ]
    assert {place.kind for place in found.places} >= {"home server", "container in task-1"}


def _container(place: str, mode: str = "bridge", networks: Sequence[str] = ()) -> Any:
    attributes = {
        "HostConfig": {"NetworkMode": mode},
        "Config": {"Image": f"mailproof/{place}:1"},
        "State": {"Status": "running"},
        "NetworkSettings": {"Networks": {name: {} for name in networks}},
    }
    labels = {LABEL: world_id(), "mailproof.place": place}
    return SimpleNamespace(
        id=f"id-{place}", name=f"mailproof-{place}", labels=labels, status="running", attrs=attributes
    )


INNER = {
    "Name": "/mailserver_postfix",
    "Config": {"Image": "postfix:1", "Labels": {"com.docker.compose.service": "postfix"}},
    "State": {"Status": "running", "Health": {"Status": "healthy"}},
    "NetworkSettings": {"Networks": {"mailserver_network": {"IPAddress": "172.20.0.10"}}},
}


def _answer(container: Any, argv: Sequence[str]) -> Result:
    """What programs in the containers of the made-up world print."""
    place = container.labels["mailproof.place"]
    kernels = {"dell": ROUTES + trie("192.168.1.39", "172.20.0.1"), "task-1": trie("10.0.1.9")}
    match list(argv):
        case ["docker", "ps", *_]:
            output = "abc\n"
        case ["docker", "inspect", "abc"]:
            output = json.dumps([INNER])
        case ["docker", "network", "inspect", "mailserver_network"]:
            subnets = [{"Subnet": "172.20.0.0/24"}]
            output = json.dumps([{"Name": "mailserver_network", "IPAM": {"Config": subnets}}])
        case _:
            output = kernels.get(place, trie("10.0.1.9", "100.64.0.7"))
    return Result(tuple(argv), 0, output, "")


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A Dell with one service and a task with one container, as an engine would show them."""
    containers = [
        _container("dell", networks=["mailproof-net-lan"]),
        _container("task-1", networks=["mailproof-net-vpc"]),
        _container("task-1-tailscale", mode="container:id-task-1"),
        _container("test-bench"),
    ]
    networks = [
        SimpleNamespace(name=f"mailproof-net-{name}", attrs={"IPAM": {"Config": [{"Subnet": subnet}]}})
        for name, subnet in (("lan", "192.168.1.0/24"), ("vpc", "10.0.0.0/16"))
    ]
    api = SimpleNamespace(networks=SimpleNamespace(list=lambda filters: networks))
    monkeypatch.setattr(look, "labelled_containers", lambda: containers)
    monkeypatch.setattr(look, "engine", lambda: api)
    monkeypatch.setattr(look, "execute", _answer)
    return containers


@pytest.mark.usefixtures("made_up")
def test_the_world_is_looked_at_down_to_the_dells_services(read: Callable[..., Any]) -> None:
    """Outer places, the task's containers, the Dell's services; a component test's bench is no part."""
    look.record_topology()
    found = read("topology.json", Topology)
    assert {place.name: set(place.networks) for place in found.places} == {
        "dell": {"lan", "mailserver_network"},
        "dell/postfix": {"mailserver_network"},
        "task-1": {"vpc"},
        "task-1-tailscale": {"tailnet"},
    }
    assert {network.name for network in found.networks} == {"lan", "vpc", "tailnet", "mailserver_network"}
    (inner,) = (place for place in found.places if place.name == "dell/postfix")
    assert (inner.status, inner.addresses) == ("running, healthy", ("172.20.0.10",))


def test_a_world_that_cannot_be_looked_at_ends_nothing(
    made_up: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: Any
) -> None:
    """The reason is said, no file is left; the same world gave one before."""
    look.record_topology()
    assert (results / "topology.json").exists()
    (results / "topology.json").unlink()

    def gone() -> list[Any]:
        raise DockerException("the engine does not answer")

    monkeypatch.setattr(look, "labelled_containers", gone)
    look.record_topology()
    assert not (results / "topology.json").exists()
    assert "the engine does not answer" in capsys.readouterr().err
