"""The simulated Dell is a machine: it boots to ``running``, filters, trusts the run's CA and reboots."""

from pathlib import Path

import pytest
from docker.models.containers import Container

from fixtures.authority import Authority
from fixtures.dell.console import CommandError, ContainerConsole
from fixtures.dell.host import HOSTNAME, boot_state, reboot, wait_until_running
from fixtures.wait import DeadWaitError


@pytest.mark.req("R-0-dell-boots")
def test_it_boots_to_running_without_a_failed_unit(console: ContainerConsole, dell: Container) -> None:
    """systemd itself says that nothing is degraded."""
    assert boot_state(dell) == "running"
    assert console.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout == ""


@pytest.mark.req("R-0-dell-boots")
@pytest.mark.parametrize("unit", ["firewalld", "docker", "containerd", "ssh", "cron", "dbus", "tailscaled"])
def test_the_services_of_a_host_are_active(console: ContainerConsole, unit: str) -> None:
    """What the live host runs, this one runs."""
    assert console.run(["systemctl", "is-active", unit]).stdout.strip() == "active"


@pytest.mark.req("R-0-dell-boots")
def test_a_failed_unit_ends_the_wait_at_once_and_is_named(console: ContainerConsole, dell: Container) -> None:
    """A machine that cannot come up any more is not waited for, and says why."""
    console.run(["systemd-run", "--quiet", "--unit=doomed", "--wait", "false"], check=False)
    try:
        with pytest.raises(DeadWaitError, match="degraded") as caught:
            wait_until_running(dell)
    finally:
        console.run(["systemctl", "reset-failed", "doomed"])
    assert any("doomed.service" in note for note in caught.value.__notes__)
    wait_until_running(dell)


@pytest.mark.req("R-2.5.2-host-name")
def test_it_has_the_designs_host_name(console: ContainerConsole) -> None:
    """The host is called what the tailnet will call it (design 2.5.2)."""
    assert console.run(["hostname"]).stdout.strip() == HOSTNAME == "mailserver"


@pytest.mark.req("R-0-dell-trusts-run-ca")
def test_it_trusts_the_runs_authority_and_no_other(console: ContainerConsole, authority: Authority) -> None:
    """A certificate of the run's CA verifies against the host's own store; a stranger's does not."""
    console.put("/tmp/ours.pem", authority.issue("host.example.net").certificate)
    console.put("/tmp/theirs.pem", Authority.create("somebody else").issue("host.example.net").certificate)
    assert console.run(["openssl", "verify", "/tmp/ours.pem"]).stdout == "/tmp/ours.pem: OK\n"
    with pytest.raises(CommandError, match="unable to get local issuer"):
        console.run(["openssl", "verify", "/tmp/theirs.pem"])
    assert console.run(["cat", "/run/mailproof/ca.crt"]).stdout.encode() == authority.certificate_pem


@pytest.mark.req("R-0-dell-plain-firewall")
def test_its_default_zone_opens_ssh_and_nothing_of_the_mail_system(console: ContainerConsole) -> None:
    """Before any deployment the firewall is a plain one (F43)."""
    assert console.run(["firewall-cmd", "--get-default-zone"]).stdout.strip() == "public"
    assert console.run(["firewall-cmd", "--zone=public", "--list-ports"]).stdout.strip() == ""
    assert set(console.run(["firewall-cmd", "--zone=public", "--list-services"]).stdout.split()) <= {
        "ssh",
        "dhcpv6-client",
    }


@pytest.mark.req("R-0-sealed")
def test_it_is_sealed_without_a_gateway(console: ContainerConsole) -> None:
    """No route leads out of a machine that was given none (D9); its own segment is there."""
    routes = console.run(["ip", "-4", "route", "show"]).stdout
    assert "default" not in routes
    assert " dev eth0 " in routes


@pytest.mark.req("R-0-console-files")
def test_a_file_is_put_with_its_mode_and_replaced_whole(console: ContainerConsole) -> None:
    """A second put leaves the new content alone, whatever was there."""
    console.put("/tmp/put", b"first, and longer", 0o644)
    console.put("/tmp/put", b"second", 0o600)
    assert console.run(["cat", "/tmp/put"]).stdout == "second"
    assert console.run(["stat", "-c", "%a %U", "/tmp/put"]).stdout == "600 root\n"
    assert console.run(["sh", "-c", "ls -A /tmp | grep put"]).stdout == "put\n"


@pytest.mark.req("R-0-dell-reboot")
def test_a_reboot_keeps_containers_and_comes_back_complete(
    console: ContainerConsole, dell: Container, inner_image: str
) -> None:
    """A restarted machine runs what it ran, with its firewall up and its name resolution as given."""
    run = ["docker", "run", "--detach", "--init", "--restart=unless-stopped", "--name=kept", inner_image]
    made = console.run([*run, "sleep", "infinity"]).stdout.strip()
    resolvers = ["grep", "^nameserver ", "/etc/resolv.conf"]
    given = console.run(resolvers).stdout
    console.put("/root/note", b"still here")
    try:
        reboot(dell)
        template = "{{.Id}} {{.State.Running}}"
        shown = console.run(["docker", "inspect", "--format", template, "kept"]).stdout.strip()
        assert shown == f"{made} true"
        assert console.run(["firewall-cmd", "--state"]).stdout.strip() == "running"
        assert console.run(["cat", "/root/note"]).stdout == "still here"
        assert console.run(resolvers).stdout == given
        assert "default" not in console.run(["ip", "-4", "route", "show"]).stdout
        assert Path("/run/mailproof/ca.crt").name in console.run(["ls", "/run/mailproof"]).stdout
    finally:
        console.run(["docker", "rm", "--force", "kept"])
