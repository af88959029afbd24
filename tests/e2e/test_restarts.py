"""Whatever is restarted: the Dell comes back by itself, open to the tailnet's members and to nobody else."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from fixtures import plan
from fixtures.dell.console import CommandError
from fixtures.dell.host import reboot
from fixtures.dell.layout import TARGET
from fixtures.dell.stack import Stack
from fixtures.engine.containers import get
from fixtures.engine.execute import execute
from fixtures.faults.coordination import coordination_unreachable
from fixtures.mail.message import Message, make
from fixtures.probe.reach import Answer, probe
from fixtures.probe.watch import Watch, watching
from fixtures.targets.perimeter import WHOLE, open_ports
from fixtures.targets.sim import Sim
from fixtures.wait import START_LIMIT, wait_for
from tests.e2e.conftest import STRANGER, Arrive, Submit

FRIEND = "friend@example.net"
SERVICES = 9
WATCHED = (22, 443, 587, 993, 995, 2525)
INTERFACE = "/sys/class/net/tailscale0"


@pytest.fixture(autouse=True)
def neighbour_takes_the_dell_for_a_router(world: Sim) -> Iterator[None]:
    """The LAN neighbour knows the way to the address that Docker publishes on: through the Dell."""
    route = ["100.64.0.0/10", "via", plan.DELL_LAN]
    execute(get("lan-host"), ["ip", "route", "replace", *route]).check()
    yield
    execute(get("lan-host"), ["ip", "route", "delete", *route]).check()


@pytest.fixture
def whole_again(world: Sim) -> Iterator[Callable[[], None]]:
    """Waits until members and the gateway are served; done at the end of a failing spec, too."""

    def act() -> None:
        wait_for(
            "a member reaches the server",
            lambda: probe(world.vantage("tailnet-pc"), world.state.dell_address, 993, timedelta(seconds=1)),
            until=lambda answer: answer is Answer.OPEN,
            timeout=START_LIMIT,
        )
        _wait_until_healthy(world)
        world.gateway.serves()

    yield act
    act()


def _wait_until_healthy(world: Sim) -> None:
    stack = Stack(world.dell, TARGET)
    wait_for(
        "all services are healthy",
        stack.services,
        until=lambda states: len(states) == SERVICES and all(state.good for state in states.values()),
        timeout=START_LIMIT,
        retry_on=(CommandError,),
    )


def _configuration(world: Sim, *options: str) -> dict[str, list[str]]:
    """firewalld's zones and policies, each with its settings, without what it says of which are in use.

    Docker puts the interfaces of its networks into its own zone itself, whenever it starts.
    """
    found: dict[str, list[str]] = {}
    name = ""
    for what in ("--list-all-zones", "--list-all-policies"):
        for line in world.dell.run(["firewall-cmd", *options, what]).stdout.splitlines():
            if line and not line[0].isspace():
                name = line.removesuffix(" (active)")
            found.setdefault(name, []).append(line.removesuffix(" (active)"))
    found["docker"] = [line for line in found["docker"] if not line.startswith("  interfaces:")]
    assert found["tailscale"]
    return found


def _watch(world: Sim) -> AbstractContextManager[Watch]:
    """The LAN neighbour at the Dell's doors, all the time that the block takes."""
    targets = [(host, port) for host in _lan_side(world) for port in WATCHED]
    return watching(get("lan-host"), targets)


def _lan_side(world: Sim) -> tuple[str, ...]:
    """The addresses at which the LAN neighbour can find the Dell."""
    return plan.DELL_LAN, plan.DELL_LAN6, world.state.dell_address


@pytest.mark.req("R-6.3.2-after-restarts", "R-6.3.2-runtime-is-permanent", "R-6.3.2-never-a-moment")
def test_every_restart_leaves_the_same_ports_open(world: Sim, whole_again: Callable[[], None]) -> None:
    """A firewall reload, Docker anew after firewalld, firewalld anew after Docker: not a moment of the LAN's.

    The control of the watch: it sees SSH as soon as somebody opens it to the LAN.
    """
    acts = ("firewall-cmd --reload", "systemctl restart docker", "systemctl restart firewalld")
    assert _configuration(world) == _configuration(world, "--permanent"), "as deployed"
    with _watch(world) as watch:
        for act in acts:
            world.dell.run(act.split())
            whole_again()
            assert open_ports(world) == WHOLE, act
            assert _configuration(world) == _configuration(world, "--permanent"), act
    assert watch.rounds > len(acts)
    assert watch.opened == {}
    with _watch(world) as control:
        _open_ssh_to_the_lan(world)
    assert set(control.opened) == {(host, 22) for host in _lan_side(world)}


def _open_ssh_to_the_lan(world: Sim) -> None:
    """For a moment, and only as configured at run time."""
    zone = "--zone=public"
    world.dell.run(["firewall-cmd", zone, "--add-service=ssh"])
    try:
        assert _configuration(world) != _configuration(world, "--permanent")
        for host in _lan_side(world):
            assert probe(world.vantage("lan-host"), host, 22) is Answer.OPEN
    finally:
        world.dell.run(["firewall-cmd", zone, "--remove-service=ssh"])


@pytest.mark.req("R-6.3.2-docker-needs-rules")
def test_docker_does_not_run_without_the_rules(world: Sim, whole_again: Callable[[], None]) -> None:
    """When the rules cannot be loaded, no container is started, whoever wanted it started (F42)."""
    program = "/usr/local/sbin/mailserver-firewall"
    world.dell.run(["systemctl", "stop", "docker.socket", "docker.service", "mailserver-firewall.service"])
    world.dell.run(["mount", "--bind", "/usr/bin/false", program])
    try:
        done = world.dell.run(["systemctl", "start", "docker.service"], check=False)
        assert "dependency" in done.stderr.lower(), done
        assert open_ports(world) == {}
    finally:
        world.dell.run(["umount", program])
        world.dell.run(["systemctl", "start", "docker.socket", "mailserver.service"])
    whole_again()
    assert open_ports(world) == WHOLE


@pytest.mark.req(
    "R-8.3.2-reboot", "R-2.5.1-late-interface", "R-6.3.2-after-restarts", "R-6.3.2-never-a-moment"
)
def test_the_dell_recovers_from_a_reboot(
    world: Sim,
    arrive: Arrive,
    submit: Submit,
    letter: Callable[..., Message],
    alice: str,
    whole_again: Callable[[], None],
) -> None:
    """All services come up though the tailnet is late, nothing opens meanwhile, then mail flows (F42)."""
    with _watch(world) as watch:
        with coordination_unreachable(get("ntt-router")):
            reboot(world.dell.container)
            _wait_until_healthy(world)
            assert world.dell.run(["test", "-e", INTERFACE], check=False).status == 1
            assert open_ports(world) == {}
        whole_again()
    assert watch.rounds > 0
    assert watch.opened == {}
    assert open_ports(world) == WHOLE
    assert _configuration(world) == _configuration(world, "--permanent")
    inbound, outbound = letter(alice), make(alice, [FRIEND])
    assert arrive(inbound, [alice], sender=STRANGER).accepted
    world.mailbox("imap", alice).wait_for(inbound.marker)
    assert submit(outbound, [FRIEND], user=alice).accepted
    world.receiver.wait_for_message(FRIEND, outbound.marker)


@pytest.mark.req("R-2.5.1-down-opens-nothing")
@pytest.mark.parametrize(
    ("down", "up"),
    [("tailscale down", "tailscale up --advertise-tags=tag:mailserver --hostname={}"),
     ("systemctl stop tailscaled", "systemctl start tailscaled")],
    ids=["member-leaves", "daemon-stops"],
)  # fmt: skip
def test_without_the_tailnet_nothing_is_open(
    world: Sim, whole_again: Callable[[], None], down: str, up: str
) -> None:
    """The interface goes and no other takes over; when it is back, so is the service (F42)."""
    assert open_ports(world) == WHOLE
    world.dell.run(down.split())
    try:
        assert world.dell.run(["test", "-e", INTERFACE], check=False).status == 1
        assert open_ports(world) == {}
    finally:
        world.dell.run(up.format(world.site.tailnet.server).split())
    whole_again()
    assert open_ports(world) == WHOLE
