"""The home line has IPv6 (F52): the Dell is as closed by it as by IPv4, though no router helps."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from fixtures import plan
from fixtures.engine.containers import get
from fixtures.engine.execute import execute
from fixtures.probe.reach import Answer, Target, probe, probe_many
from fixtures.proof.recorders.reachability import record_probes
from fixtures.targets.perimeter import PORTS
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for

CONTAINERS6 = "fd00:88::/64"
CARELESS6 = "fd00:88::88"
PORT = 8088


@contextmanager
def trusted_by_firewalld(world: Sim, address: str) -> Iterator[None]:
    """A device to which somebody opens everything that firewalld has a say in, for a moment."""
    world.dell.run(["firewall-cmd", "--zone=trusted", f"--add-source={address}"])
    try:
        yield
    finally:
        world.dell.run(["firewall-cmd", "--zone=trusted", f"--remove-source={address}"])


@pytest.mark.req("R-1.1-home-ipv6-closed")
@pytest.mark.parametrize(
    ("place", "address"), [("lan-host", plan.LAN_HOST6), ("internet-host", plan.INTERNET_HOST6)]
)
def test_nothing_answers_over_ipv6(world: Sim, place: str, address: str) -> None:
    """No port of the design answers at the Dell's global address, from the LAN or from the Internet.

    The control: SSH, which does listen on [::], answers there while firewalld trusts the caller.
    """
    vantage = world.vantage(place)
    answers = probe_many(vantage, [(plan.DELL_LAN6, port) for port in PORTS])
    record_probes(place, "Dell, IPv6", answers, ())
    assert {port: answer for (_, port), answer in answers.items() if answer is Answer.OPEN} == {}
    with trusted_by_firewalld(world, address):
        assert probe(vantage, plan.DELL_LAN6, 22) is Answer.OPEN
    assert probe(vantage, plan.DELL_LAN6, 22) is not Answer.OPEN


@pytest.fixture
def careless_project(world: Sim) -> Iterator[None]:
    """Another project's container on a Docker network of its own with IPv6, its port published everywhere.

    The LAN neighbour knows the way to its IPv6 address, through the Dell.
    """
    route = [CONTAINERS6, "via", plan.DELL_LAN6]
    run = ["docker", "run", "-d", "--name=careless6", "--network=careless6", f"--ip6={CARELESS6}"]
    listen = f"nc -4 -lk -p {PORT} & exec nc -6 -lk -p {PORT}"
    serve = ["--entrypoint=sh", world.state.images["nginx"], "-c", listen]
    try:
        world.dell.run(["docker", "network", "create", "--ipv6", f"--subnet={CONTAINERS6}", "careless6"])
        world.dell.run([*run, f"--publish={PORT}:{PORT}", *serve])
        execute(get("lan-host"), ["ip", "route", "replace", *route]).check()
        yield
    finally:
        world.dell.run(["docker", "rm", "-f", "careless6"])
        world.dell.run(["docker", "network", "rm", "careless6"])
        execute(get("lan-host"), ["ip", "route", "delete", *route])


@pytest.mark.req("R-1.1-home-ipv6-closed", "R-6.3.2-careless-port")
@pytest.mark.usefixtures("careless_project")
def test_another_projects_published_port_stays_closed(world: Sim) -> None:
    """Whatever network Docker made for it, by IPv4 and by IPv6, on [::] or reached directly (F42, F52).

    The controls: once firewalld trusts the neighbour, the host's own side answers, which Docker's proxy
    serves, and the containers' side does once the server's own rules are gone, too.
    """
    lan = world.vantage("lan-host")
    host_side, container_side = {(plan.DELL_LAN6, PORT)}, {(plan.DELL_LAN, PORT), (CARELESS6, PORT)}

    def open_now() -> set[Target]:
        answers = probe_many(lan, host_side | container_side, timedelta(seconds=1))
        return {target for target, answer in answers.items() if answer is Answer.OPEN}

    def opens(expected: set[Target]) -> None:
        wait_for("what is open to answer", open_now, until=expected.__eq__, timeout=timedelta(seconds=10))

    assert open_now() == set()
    with trusted_by_firewalld(world, plan.LAN_HOST6):
        opens(host_side)
        world.dell.run(["nft", "delete", "table", "inet", "mailserver"])
        try:
            opens(host_side | container_side)
        finally:
            world.dell.run(["systemctl", "reload", "mailserver-firewall"])
    assert open_now() == set()
