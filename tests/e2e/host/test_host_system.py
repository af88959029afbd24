"""Packages, services, units, timers and kernel of the deployed host (design 10.1)."""

import pytest

from tests.e2e.host.conftest import Host

pytestmark = pytest.mark.req("R-10.1-host-as-deployed")

PACKAGES = {
    "an ssh server": ("openssh-server",),
    "a firewall": ("firewalld",),
    "nft": ("nftables",),
    "an engine": ("docker-ce", "docker.io"),
    "TLS": ("openssl",),
}
"""What is to be there, by its name in either family of systems."""
UNITS = ("docker", "firewalld", "tailscaled", "mailserver", "mailserver-firewall")
TIMERS = ("mailserver-cert.timer",)


@pytest.mark.parametrize("what", PACKAGES)
def test_a_package_is_installed(host: Host, what: str) -> None:
    """One of its names; a package of no name is not (the control)."""
    assert [name for name in PACKAGES[what] if host.package(name).is_installed]
    assert not host.package("mailserver-of-no-name").is_installed


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_runs_and_comes_back_after_a_reboot(host: Host, unit: str) -> None:
    """Active and enabled; a service of no name is neither."""
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled
    assert not host.service("mailserver-of-no-name").is_running


def test_an_ssh_server_runs(host: Host) -> None:
    """Debian calls it ssh, Rocky sshd."""
    assert host.service("ssh").is_running or host.service("sshd").is_running


def test_no_unit_has_failed(host: Host) -> None:
    """What systemd would show the owner first."""
    assert host.check_output("systemctl --failed --plain --no-legend") == ""
    assert "mailserver.service" in host.check_output("systemctl list-units --plain --no-legend 'mailserver*'")


@pytest.mark.parametrize("timer", TIMERS)
def test_a_timer_waits_for_its_next_time(host: Host, timer: str) -> None:
    """Enabled, active, and with a time at which it is due; so is what it starts known."""
    assert host.service(timer).is_enabled
    assert host.service(timer).is_running
    due = host.check_output("systemctl show -P NextElapseUSecRealtime %s", timer)
    assert due not in ("", "n/a", "infinity")
    assert (
        host.check_output("systemctl show -P LoadState %s", timer.replace(".timer", ".service")) == "loaded"
    )


def test_docker_does_not_start_without_the_servers_rules(host: Host) -> None:
    """After a power cut it starts containers by itself (F42)."""
    needs = host.check_output("systemctl show -P Requires docker.service").split()
    assert "mailserver-firewall.service" in needs


def test_ports_can_be_published_before_the_tailnet_is_up(host: Host) -> None:
    """The kernel's switch for it, in force and kept (F42)."""
    assert host.sysctl("net.ipv4.ip_nonlocal_bind") == 1
    assert host.file("/etc/sysctl.d/60-mailserver.conf").contains("^net.ipv4.ip_nonlocal_bind = 1$")
