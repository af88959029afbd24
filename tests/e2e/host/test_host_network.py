"""Firewall zones and listening sockets of the deployed host (D7, F42, F43)."""

import pytest

from tests.e2e.host.conftest import Host

pytestmark = pytest.mark.req("R-10.1-host-as-deployed")

PORTS = (443, 587, 993, 995, 2525)


def _listening(host: Host) -> set[tuple[str, int]]:
    """Every address and port that a TCP socket of the host listens on."""
    ends = (line.split()[3] for line in host.check_output("ss -Hltn").splitlines())
    return {(end.rpartition(":")[0].strip("[]").split("%")[0], int(end.rpartition(":")[2])) for end in ends}


def test_the_tailnets_zone_opens_the_five_ports_and_ssh(host: Host) -> None:
    """Bound to the tailnet's interface, by the running rules and by the kept ones alike."""
    assert host.check_output("firewall-cmd --state") == "running"
    assert host.check_output("firewall-cmd --get-zone-of-interface=tailscale0") == "tailscale"
    for kept in ("", "--permanent"):
        ports = host.check_output(f"firewall-cmd {kept} --zone=tailscale --list-ports").split()
        assert sorted(ports) == sorted(f"{port}/tcp" for port in PORTS)
        assert host.check_output(f"firewall-cmd {kept} --zone=tailscale --list-services") == "ssh"


def test_no_other_zone_in_use_opens_any_of_them(host: Host) -> None:
    """Neither the default zone nor another one with an interface lists a port, or ssh (design 2.4.2)."""
    shown = host.check_output("firewall-cmd --get-active-zones").splitlines()
    zones = {line.split()[0] for line in shown if line and not line.startswith(" ")}
    zones = {*zones, host.check_output("firewall-cmd --get-default-zone")} - {"tailscale", "docker"}
    assert zones
    for zone in zones:
        assert host.check_output(f"firewall-cmd --zone={zone} --list-ports") == "", zone
        assert "ssh" not in host.check_output(f"firewall-cmd --zone={zone} --list-services").split(), zone


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
