"""Packets go where the policy lets them, by the independent reading of it: every pair and port."""

import json
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from fixtures.engine.containers import remove
from fixtures.engine.execute import execute
from fixtures.wait import wait_for
from tests.integration.tailnet.world import PORTS, PREFIX, Members, SmallTailnet, listen
from tests.unit.tailnet.oracle import Device, Document, admits

TCP = 6
PROXY = "1055"
LOOK = (Path(__file__).parent / "look.py").read_bytes()
NAMES = ("mailserver", "pc", "phone", "tablet")
OWNERS: dict[str, list[str]] = {"tag:mailserver": [], "tag:fargate-mx": []}
Seen = set[tuple[str, str, int]]


@dataclass(frozen=True)
class Bench:
    """The machines that probe and are probed, every one of them listening on every port."""

    tailnet: SmallTailnet
    machines: dict[str, Container]
    task: Container

    def devices(self) -> dict[str, Device]:
        """The machines as the oracle knows them."""
        return {
            node.name: Device(node.address, "" if node.tags else node.user, frozenset(node.tags))
            for node in self.tailnet.control.nodes().values()
            if node.name in (*NAMES, "gateway")
        }

    def measure(self) -> Seen:
        """Who reaches whom on which port: all attempts at once, each decided by the listener's own words."""
        devices = self.devices()

        def look(name: str) -> Seen:
            others = {device.address: other for other, device in devices.items() if other in NAMES}
            others.pop(devices[name].address, None)
            argv = ["python3", "-", ",".join(others), ",".join(map(str, PORTS))]
            if name == "gateway":
                shown = execute(self.task, [*argv, PROXY], stdin=LOOK)
            else:
                shown = execute(self.machines[name], argv, stdin=LOOK)
            found = (line.split() for line in shown.check().stdout.splitlines())
            return {(name, others[host], int(port)) for host, port in found}

        with ThreadPoolExecutor() as pool:
            return set().union(*pool.map(look, devices))

    def expected(self, document: Document) -> Seen:
        """The same by the oracle."""
        devices = self.devices()
        return {
            (one, other, port)
            for one, source in devices.items()
            for other in NAMES
            for port in PORTS
            if one != other and admits(document, source, devices[other], TCP, port)
        }


@pytest.fixture(scope="module")
def bench(tailnet: SmallTailnet, members: Members) -> Iterator[Bench]:
    """The members, and a second machine of the PC's owner."""
    tablet = tailnet.kernel_node("tablet", tailnet.control.create_key(user="alice@example.net"))
    tailnet.control.wait_for_node("tablet")
    for container in (members.pc, members.phone, tablet):
        listen(container)
    machines = {"mailserver": members.server, "pc": members.pc, "phone": members.phone, "tablet": tablet}
    yield Bench(tailnet, machines, members.task)
    tailnet.restore_policy()
    tailnet.control.delete("tablet")
    remove(f"{PREFIX}-tablet")
    members.settle()


def rule(src: Sequence[str], dst: Sequence[str], **more: str) -> dict[str, Any]:
    """One rule."""
    return {"action": "accept", "src": list(src), "dst": list(dst), **more}


def by_hand(devices: dict[str, Device]) -> list[dict[str, Any]]:
    """One policy that has every kind of selector, list, range and protocol."""
    return [
        rule(["autogroup:member"], ["autogroup:self:22,80"]),
        rule(["group:staff"], ["phones:443-993"], proto="tcp"),
        rule(["autogroup:tagged"], ["bob@example.net:25-600", "server:2525"], proto="6"),
        rule([devices["phone"].address], ["tag:mailserver:587,990-995"]),
        rule(["*"], ["*:995", "*:1-65535"], proto="udp"),
    ]


def at_random(devices: dict[str, Device], seed: int) -> list[dict[str, Any]]:
    """Three rules, the same for the same seed."""
    dice = random.Random(seed)
    people = ["alice@example.net", "bob@example.net", "autogroup:member", "group:staff"]
    anybody = [
        *people,
        *OWNERS,
        "autogroup:tagged",
        "phones",
        *(device.address for device in devices.values()),
    ]
    ports = ["*", "22", "80,443", "500-993", "25,587-994", "2525", "1-79", "996-65535"]
    return [
        rule(
            dice.sample(anybody, 2),
            [f"{host}:{dice.choice(ports)}" for host in dice.sample(anybody, 2)],
            proto=dice.choice(["", "", "tcp", "udp"]),
        )
        for _ in range(3)
    ]


@pytest.mark.req("R-0-policy-oracle", "R-0-tailnet-filter")
@pytest.mark.parametrize("which", ["by hand", 1, 2, 3])
def test_packets_go_where_the_oracle_says(bench: Bench, which: str | int) -> None:
    """Under a new policy exactly those pairs and ports answer that the oracle admits; before, others did."""
    devices = bench.devices()
    document = {
        "tagOwners": OWNERS,
        "groups": {"group:staff": ["alice@example.net"]},
        "hosts": {"server": devices["mailserver"].address, "phones": f"{devices['phone'].address}/32"},
        "acls": by_hand(devices) if isinstance(which, str) else at_random(devices, which),
    }
    expected = bench.expected(document)
    before = bench.measure()
    assert expected
    assert expected != before, "the policy changes nothing, so nothing would be seen"
    bench.tailnet.control.set_policy(json.dumps(document))
    wait_for(
        "the packets agree with the oracle",
        bench.measure,
        timeout=timedelta(seconds=20),
        until=lambda seen: seen == expected,
    )
