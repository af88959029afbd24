"""What goes onto the Dell host itself: the zone, the forwarding rules, the units and the set-up script."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from tests.unit.compose.conf import read

INSTALL = read("host/install-host.sh")
ZONE = ElementTree.fromstring(read("host/tailscale.xml"))


def unit(name: str) -> dict[str, list[str]]:
    """A systemd unit: values by key, whatever the section."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", read(f"host/{name}"), re.MULTILINE):
        found.setdefault(key, []).extend(value.split())
    return found


def rules(chain: str) -> list[str]:
    """The rules of a chain that mailserver-firewall loads, in order, without comments."""
    found = re.search(rf"chain {chain} \{{\n(.*?)\n    \}}", read("host/mailserver-firewall"), re.DOTALL)
    assert found is not None
    lines = [line.strip() for line in found[1].splitlines()]
    return [line for line in lines if not line.startswith("#")]


@pytest.mark.req("R-6.3.2-own-zone")
def test_the_zone_is_the_tailnet_interfaces() -> None:
    """Bound to tailscale0 and to no other interface or source; default target (D7, F43)."""
    assert [item.get("name") for item in ZONE.iter("interface")] == ["tailscale0"]
    assert list(ZONE.iter("source")) == []
    assert ZONE.get("target") is None


@pytest.mark.req("R-6.3.2-own-zone", "R-2.4.2-submission-open", "R-2.4.2-no-port-80")
def test_the_zone_opens_the_designs_ports() -> None:
    """443, 587, 993, 995 and 2525 by TCP, and ssh, whose use the tailnet policy decides (F43, F44)."""
    opened = {(item.get("port"), item.get("protocol")) for item in ZONE.iter("port")}
    assert opened == {(port, "tcp") for port in ("443", "587", "993", "995", "2525")}
    assert [item.get("name") for item in ZONE.iter("service")] == ["ssh"]
    assert {item.tag for item in ZONE} == {"short", "description", "interface", "service", "port"}


@pytest.mark.req("R-6.3.2-own-zone")
def test_the_set_up_changes_no_zone_but_its_own_wider() -> None:
    """Every firewall-cmd that changes something names its zone, and adds to the tailnet's alone (F43)."""
    changing = [
        line.strip() for line in INSTALL.splitlines() if re.search(r"firewall-cmd.*--(add|change)-", line)
    ]
    assert len(changing) == 2
    assert [line for line in changing if "--zone=tailscale --change-interface=tailscale0" not in line] == []
    assert len([line for line in changing if "--permanent" in line]) == 1
    assert "--remove-service=ssh" in INSTALL


@pytest.mark.req("R-6.3.2-own-zone")
def test_an_open_default_zone_stops_the_set_up() -> None:
    """Each of the five ports is looked for in the default zone (F43)."""
    assert "PORTS=(443 587 993 995 2525)" in INSTALL.splitlines()
    assert 'if firewall-cmd --quiet --zone="$zone" --query-port="$port/tcp"; then' in INSTALL
    steps = INSTALL.rstrip().rpartition("}\n")[2].split("\n")
    assert [step for step in steps if step and not step.startswith("echo")] == [
        "preflight", "kernel", "selinux", "firewall_stays", "firewall_zone", "lan_ssh", "units",
    ]  # fmt: skip


@pytest.mark.req("R-6.3.2-careless-port")
def test_nothing_but_the_tailnet_is_forwarded_to_the_containers() -> None:
    """Docker's published ports pass by firewalld; these chains stand before Docker's own (F42)."""
    assert rules("forward") == [
        "type filter hook forward priority filter - 1; policy accept;",
        'oifname { "mailserver0", "docker0" } goto into_containers',
        'oifname "br-*" goto into_containers',
    ]
    assert rules("into_containers") == [
        "ct state established,related accept",
        'iifname { "tailscale0", "mailserver0", "docker0" } accept',
        'iifname "br-*" accept',
        "drop",
    ]
    assert "table inet mailserver {" in read("host/mailserver-firewall")  # both IPv4 and IPv6


@pytest.mark.req("R-2.4.2-containers-kept-out")
def test_containers_get_nothing_from_the_host() -> None:
    """What comes in from their network is an answer, or ICMP, or dropped: never a connection to the host."""
    assert rules("input") == [
        "type filter hook input priority filter - 1; policy accept;",
        'iifname != "mailserver0" accept',
        "ct state established,related accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        "drop",
    ]


@pytest.mark.req("R-6.3.2-careless-port")
def test_the_rules_name_the_bridge_that_compose_makes() -> None:
    """A renamed bridge would fall out of the rules."""
    assert "com.docker.network.bridge.name: mailserver0" in read("docker-compose.yml")


@pytest.mark.req("R-6.3.2-careless-port")
def test_the_mail_server_never_runs_without_the_rules() -> None:
    """The unit requires them and comes after them; they come before Docker (F42)."""
    server, firewall = unit("mailserver.service"), unit("mailserver-firewall.service")
    assert "mailserver-firewall.service" in server["Requires"]
    assert "mailserver-firewall.service" in server["After"]
    assert firewall["Before"] == ["docker.service", "firewalld.service"]
    assert firewall["ExecStart"] == ["/usr/local/sbin/mailserver-firewall"]
    assert "mailserver-firewall.service" in INSTALL.partition("systemctl --quiet reenable")[2].splitlines()[0]


@pytest.mark.req("R-6.3.2-docker-needs-rules")
def test_docker_never_runs_without_the_rules() -> None:
    """It starts containers by itself after a power cut, so its own unit needs them, too (F42)."""
    firewall = unit("mailserver-firewall.service")
    assert firewall["RequiredBy"] == ["docker.service"]
    assert "docker.service" in firewall["Before"]


@pytest.mark.req("R-6.3.2-never-a-moment")
def test_firewalld_keeps_its_rules_and_is_waited_for() -> None:
    """Its rules stay when it stops, and whatever comes after it at boot comes after them (F43)."""
    stays = INSTALL.partition("\nfirewall_stays() {\n")[2].partition("\n}\n")[0]
    assert "$ a CleanupOnExit=no' /etc/firewalld/firewalld.conf" in stays
    assert "firewall-cmd --quiet --reload" in stays
    assert unit("firewalld-ready.conf")["ExecStartPost"] == ["-/usr/bin/firewall-cmd", "--quiet", "--state"]
    assert (
        'put "$HERE/firewalld-ready.conf" /etc/systemd/system/firewalld.service.d/mailserver.conf 644'
        in INSTALL
    )


@pytest.mark.req("R-8.3.2-reboot")
def test_the_mail_server_starts_at_boot() -> None:
    """After Docker and whatever the network needs, and it is told to wait for no interface (F42)."""
    server = unit("mailserver.service")
    assert server["WantedBy"] == ["multi-user.target"]
    assert server["ExecStart"][:3] == ["/usr/bin/docker", "compose", "up"]
    assert "mailserver.service" in INSTALL.partition("systemctl --quiet reenable")[2].splitlines()[0].split()


@pytest.mark.req("R-2.4.2-published-on-tailnet", "R-2.5.1-late-interface")
def test_the_tailnet_address_may_come_late() -> None:
    """Docker may publish on it before tailscaled has brought it up (F42)."""
    assert "net.ipv4.ip_nonlocal_bind = 1" in read("host/60-mailserver.conf").splitlines()


@pytest.mark.req("R-6.2-renewed-by-timer")
def test_the_certificate_is_looked_after_every_day() -> None:
    """A timer that makes up for days off runs the renewal (F72)."""
    timer = unit("mailserver-cert.timer")
    assert (timer["OnCalendar"], timer["Persistent"]) == (["daily"], ["true"])
    assert unit("mailserver-cert.service")["ExecStart"] == ["@ROOT@/scripts/renew-certificate.sh"]
    # All timers of the folder are installed, started now and at every boot.
    assert '"$HERE"/*.timer' in INSTALL
    assert '"${timers[@]}"' in INSTALL.partition("systemctl --quiet reenable")[2].splitlines()[0]
    assert 'systemctl start "${timers[@]}"' in INSTALL


@pytest.mark.req("R-6.2-failed-renewal")
def test_a_failed_renewal_is_told() -> None:
    """The unit's failure starts the alert for it, which the set-up installs (F72)."""
    assert unit("mailserver-cert.service")["OnFailure"] == ["mailserver-alert@%n.service"]
    assert unit("mailserver-alert@.service")["ExecStart"] == ["@ROOT@/scripts/unit-failed.sh", "%i"]
    assert 'for unit in "$HERE"/*.service "$HERE"/*.timer; do' in INSTALL


@pytest.mark.req("R-8.4-monitor-runs")
def test_the_server_is_looked_after_every_minute() -> None:
    """By a timer that the set-up installs with all others; its failure starts no alert, which would fail."""
    timer, service = unit("mailserver-monitor.timer"), unit("mailserver-monitor.service")
    assert (timer["OnCalendar"], timer["WantedBy"]) == (["minutely"], ["timers.target"])
    assert service["ExecStart"] == ["@ROOT@/scripts/health-monitor.sh"]
    assert (service["StateDirectory"], service["StateDirectoryMode"]) == (["mailserver"], ["0700"])
    assert "OnFailure" not in service
    assert '"$HERE"/*.timer' in INSTALL
