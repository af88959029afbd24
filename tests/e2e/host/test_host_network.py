"""Firewall zones and listening sockets of the deployed host (D7, F42, F43)."""

import pytest

from tests.e2e.host.conftest import Host

pytestmark = pytest.mark.req("R-10.1-host-as-deployed")

PORTS = (443, 587, 993, 995, 2525)


def _listening(host: Host) -> set[tuple[str, int]]:
    """Every address and port that a TCP socket of the host listens on."""
    ends = (line.split()[3] for line in host.check_output("ss -Hltn").splitlines())
    return {(end.rpartition(":")[0].strip("[]").split("%")[0], int(end.rpartition(":")[2])) for end in ends}


def _zone(host: Host, *words: str) -> dict[str, list[str]]:
    """What a zone has, by the names that firewall-cmd gives it."""
    shown = host.check_output(f"firewall-cmd {' '.join(words)} --list-all").splitlines()
    pairs = (line.split(":", 1) for line in shown if line.startswith("  ") and ":" in line)
    return {name.strip(): value.split() for name, value in pairs}


@pytest.mark.parametrize("kept", ["", "--permanent"], ids=["running", "kept"])
def test_the_tailnets_zone_opens_the_five_ports_and_ssh(host: Host, kept: str) -> None:
    """Bound to the tailnet's interface, by the running rules and by the kept ones alike."""
    zone = _zone(host, kept, "--zone=tailscale")
    assert zone["interfaces"] == ["tailscale0"]
    assert sorted(zone["ports"]) == sorted(f"{port}/tcp" for port in PORTS)
    assert zone["services"] == ["ssh"]


def test_no_other_zone_in_use_opens_any_of_them(host: Host) -> None:
    """Neither the default zone nor another one with an interface lists a port, or ssh (design 2.4.2)."""
    shown = host.check_output("firewall-cmd --get-active-zones").splitlines()
    zones = {line.split()[0] for line in shown if line and not line.startswith(" ")}
    zones = {*zones, host.check_output("firewall-cmd --get-default-zone")} - {"tailscale", "docker"}
    assert zones
    for name in zones:
        zone = _zone(host, f"--zone={name}")
        assert (zone["ports"], "ssh" in zone["services"]) == ([], False), name


def test_the_servers_own_table_is_in_force(host: Host) -> None:
    """What comes into the containers' networks came by the tailnet (F42)."""
    rules = host.check_output("nft list table inet mailserver")
    assert 'oifname { "docker0", "mailserver0" } goto into_containers' in " ".join(rules.split())
    assert host.run("nft list table inet mailserver-of-no-name").rc != 0


def test_the_rules_outlive_firewalld(host: Host) -> None:
    """It would take them away whenever it stops (F43)."""
    assert host.file("/etc/firewalld/firewalld.conf").contains("^CleanupOnExit=no$")


@pytest.mark.parametrize("port", PORTS)
def test_a_port_listens_on_the_tailnets_address_alone(
    host: Host, variables: dict[str, str], port: int
) -> None:
    """Not on all addresses, not on the LAN's, not by IPv6 (D7)."""
    assert {address for address, number in _listening(host) if number == port} == {variables["TAILNET_IP"]}


@pytest.mark.parametrize("port", [24, 25, 80, 110, 143, 3306, 6379, 11334])
def test_a_port_of_no_use_outside_is_not_listened_on(host: Host, port: int) -> None:
    """Neither plain text nor what is the containers' own affair; the list shows those that are."""
    numbers = {number for _, number in _listening(host)}
    assert port not in numbers
    assert 993 in numbers
