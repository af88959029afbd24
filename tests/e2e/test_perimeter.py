"""What keeps the Dell closed: its published ports, zones and rules, each by itself (D7, F42, F43)."""

import re
from collections.abc import Iterator

import pytest

from fixtures import plan
from fixtures.probe.reach import Answer, probe
from fixtures.proof.recorders.reachability import record_probes
from fixtures.targets.sim import Sim

PUBLISHED = (443, 587, 993, 995, 2525)


@pytest.fixture
def careless_container(world: Sim) -> Iterator[int]:
    """A container on the Dell whose port somebody published on every address."""
    image = world.state.images["nginx"]
    argv = [
        "docker",
        "run",
        "-d",
        "--name",
        "careless",
        "-p",
        "0.0.0.0:8088:8088",
        "--entrypoint",
        "sh",
        image,
    ]
    world.dell.run([*argv, "-c", "exec nc -lk -p 8088"])
    try:
        yield 8088
    finally:
        world.dell.run(["docker", "rm", "-f", "careless"])


@pytest.mark.req("R-6.3.2-careless-port")
def test_a_carelessly_published_port_stays_closed(world: Sim, careless_container: int) -> None:
    """A port published on 0.0.0.0 bypasses firewalld's zones; the server's own table keeps it closed (F42).

    The controls: it answers on the Dell itself, and from the LAN once those rules are gone.
    """
    lan = world.vantage("lan-host")
    own = world.dell.run(["nc", "-zw2", plan.DELL_LAN, str(careless_container)], check=False)
    assert own.status == 0, "the careless container does not listen, so the check would prove nothing"
    answer = probe(lan, plan.DELL_LAN, careless_container)
    record_probes("lan-host", "dell-lan", {(plan.DELL_LAN, careless_container): answer}, ())
    assert answer is not Answer.OPEN
    world.dell.run(["firewall-cmd", "--reload"])
    assert probe(lan, plan.DELL_LAN, careless_container) is not Answer.OPEN
    world.dell.run(["nft", "delete", "table", "inet", "mailserver"])
    try:
        assert probe(lan, plan.DELL_LAN, careless_container) is Answer.OPEN
    finally:
        world.dell.run(["systemctl", "reload", "mailserver-firewall"])
    assert probe(lan, plan.DELL_LAN, careless_container) is not Answer.OPEN


@pytest.mark.req("R-6.3.2-own-zone")
def test_firewalld_runs_as_it_was_configured(world: Sim) -> None:
    """The tailnet's interface is in its own zone, the default zone opens none of our ports (F43)."""

    def ask(*arguments: str) -> str:
        return world.dell.run(["firewall-cmd", *arguments]).stdout.strip()

    assert ask("--state") == "running"
    assert ask("--get-zone-of-interface=tailscale0") == "tailscale"
    opened = set(ask("--zone=tailscale", "--list-ports").split())
    assert opened == {f"{port}/tcp" for port in PUBLISHED}
    assert ask("--zone=tailscale", "--list-services") == "ssh"
    assert ask("--permanent", "--zone=tailscale", "--get-target") == "default"
    default = ask("--get-default-zone")
    assert default != "tailscale"
    assert ask(f"--zone={default}", "--list-ports") == ""
    assert "ssh" not in ask(f"--zone={default}", "--list-services").split()


@pytest.mark.req("R-2.4.2-published-on-tailnet")
def test_ports_are_published_on_the_tailnet_address_alone(world: Sim) -> None:
    """Docker publishes the design's five ports, each on the tailnet address, and no other (D7, F42, F51).

    Seen on the host, because from outside the firewall and the policy would hide a mistake here.
    """
    listed = world.dell.run(["docker", "ps", "--format", "{{.Ports}}"]).stdout
    published = set(re.findall(r"(\S+):([0-9-]+)->", listed))
    assert published == {(world.state.dell_address, str(port)) for port in PUBLISHED}


@pytest.mark.req("R-10.1-units", "R-6.1.2-env-600", "R-2.5.2-kernel-mode")
def test_the_servers_own_host_sees_its_services(world: Sim) -> None:
    """The Dell is looked at as a live host would be: units enabled and running, through testinfra."""
    import testinfra  # type: ignore[import-untyped]

    host = testinfra.get_host("docker://mailproof-dell")
    for unit in ("docker", "firewalld", "tailscaled"):
        assert host.service(unit).is_running, unit
        assert host.service(unit).is_enabled, unit
    environment = host.file("/opt/mailserver/.env")
    assert (environment.user, environment.mode) == ("root", 0o600)
    assert host.interface("tailscale0").addresses != []
    assert host.socket("tcp://0.0.0.0:2525").is_listening is False
    assert host.socket(f"tcp://{world.state.dell_address}:2525").is_listening
