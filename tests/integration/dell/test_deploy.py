"""deploy.sh onto a machine of its own, over real ssh: a first release, the same, a bad one, the next."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.dell.console import ContainerConsole
from fixtures.dell.engine_cache import wipe_engine_cache
from fixtures.wait import wait_for
from fixtures.world.images import ROOT
from tests.integration.dell.conftest import Boot

TARGET = "/opt/mailserver"
ADDRESS = "100.64.0.10"
COMPOSE = """
name: mailserver
services:
  good:
    image: ${IMAGE_GOOD:?}
    init: true
    command: [sh, -c, "cp /config/banner /tmp/banner; while :; do nc -N -l 7000 </tmp/banner; done"]
    ports: ["${TAILNET_IP:?}:7000:7000"]
    volumes: ["./config/good:/config:ro"]
    secrets: [rspamd_password]
    networks: [mailserver_network]
    healthcheck: {test: [CMD, grep, -q, well, /config/state], interval: 1s, retries: 2}
networks:
  mailserver_network:
    driver_opts: {com.docker.network.bridge.name: mailserver0}
secrets:
  rspamd_password: {environment: RSPAMD_PASSWORD}
"""
TAILSCALE = f"""#!/bin/sh
case $1 in
ip) echo {ADDRESS} ;;
cert) [ -e "$3" ] || {{ echo certificate >"$3"; echo key >"$5"; }} ;;
esac
"""
ENV = f"""MAIL_DOMAIN='example.org'
MAIL_ADDITIONAL_DOMAINS=''
MAIL_HOSTNAME='mailserver.tailnet.ts.net'
TAILNET_IP='{ADDRESS}'
CA_BUNDLE='/etc/ssl/certs/ca-certificates.crt'
MYSQL_ROOT_PASSWORD='one'
MYSQL_PASSWORD='two'
ROUNDCUBE_DES_KEY='three'
RSPAMD_PASSWORD='four'
IMAGE_GOOD='{{image}}'
"""
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Host:
    """The machine, a release for it, and how ssh gets there."""

    console: ContainerConsole
    release: Path
    ssh: str

    def deploy(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run deploy.sh; both its streams in one."""
        argv = [str(self.release / "deploy.sh"), "--wait", "60", *options, f"root@{self.address}"]
        return subprocess.run(
            argv, env={**os.environ, "MAILSERVER_SSH": self.ssh}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
        )  # fmt: skip

    @property
    def address(self) -> str:
        """Where ssh finds it."""
        return _lan_address(self.console)

    def put(self, name: str, text: str) -> None:
        """Write a file of the release."""
        (self.release / name).parent.mkdir(parents=True, exist_ok=True)
        (self.release / name).write_text(text)

    def banner(self) -> str:
        """What the service says on its published port."""
        return wait_for(
            "the service to speak", lambda: self.console.run(["bash", "-c", _READ], check=False).stdout,
            timeout=timedelta(seconds=10),
        )  # fmt: skip

    def failed_units(self) -> set[str]:
        """Units that have failed, but for the monitor: this machine has nobody whom it could tell."""
        listed = self.console.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).stdout
        return {line.split()[0] for line in listed.splitlines()} - {"mailserver-monitor.service"}

    def state(self) -> tuple[str, str, str]:
        """Hashes of every deployed file, the units of the host, and its containers with their starts."""
        files = self.console.run(["bash", "-c", _HASHES]).stdout
        units = self.console.run(
            ["bash", "-c", "sha256sum /etc/systemd/system/mailserver* /etc/firewalld/zones/*"]
        )
        shown = self.console.run(
            ["bash", "-c", "docker inspect -f '{{.Id}} {{.State.StartedAt}}' $(docker ps -aq)"]
        )
        assert "docker-compose.yml" in files
        return files, units.stdout, shown.stdout


_READ = f"exec 3<>/dev/tcp/{ADDRESS}/7000; cat <&3"
_HASHES = (
    f"cd {TARGET}; find . -type f ! -name '*.lock' ! -name deploy.log -printf '%m %p\\n' | sort; "
    "find . -type f ! -name '*.lock' ! -name deploy.log -print0 | sort -z | xargs -0 sha256sum"
)


def _lan_address(console: ContainerConsole) -> str:
    console.container.reload()
    return str(console.container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])


def _ssh(console: ContainerConsole, folder: Path) -> str:
    """A key that the machine's root takes, and the machine's own key, known beforehand."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    console.run(["install", "-d", "-m", "700", "/root/.ssh"])
    console.put("/root/.ssh/authorized_keys", (folder / "key.pub").read_bytes(), 0o600)
    own = console.run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout.split()[:2]
    (folder / "known").write_text(f"{_lan_address(console)} {' '.join(own)}\n")
    options = f"-F none -i {folder}/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes"
    return f"ssh {options} -o UserKnownHostsFile={folder}/known -o BatchMode=yes -o ConnectTimeout=10"


@pytest.fixture(scope="module")
def host(boot: Boot, base_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A machine as it is before any deployment, but for its membership in the tailnet."""
    folder = tmp_path_factory.mktemp("deploy")
    release = folder / "compose"
    shutil.copytree(ROOT / "compose/host", release / "host")
    shutil.copytree(ROOT / "compose/scripts", release / "scripts")
    shutil.copy(ROOT / "compose/deploy.sh", release)
    engine = folder / "engine"
    try:
        with boot("test-dell-deploy", engine) as container:
            console = ContainerConsole(container)
            console.put("/usr/local/bin/tailscale", TAILSCALE.encode(), 0o755)
            console.run(["ip", "tuntap", "add", "tailscale0", "mode", "tun"])
            console.run(["ip", "addr", "add", f"{ADDRESS}/32", "dev", "tailscale0"])
            console.run(["ip", "link", "set", "tailscale0", "up"])
            made = Host(console, release, _ssh(console, folder))
            made.put("docker-compose.yml", COMPOSE)
            made.put("config/good/banner", "first\n")
            made.put("config/good/state", "well\n")
            made.put(".env", ENV.format(image=base_tag))
            (release / ".env").chmod(0o600)
            yield made
    finally:
        wipe_engine_cache(engine, base_tag)


@pytest.fixture(scope="module")
def running(host: Host) -> Host:
    """The machine with its first release."""
    (host.release / ".env").chmod(0o644)
    refused = host.deploy()
    assert (refused.returncode, "others may know its secrets" in refused.stdout) == (1, True), refused.stdout
    assert host.console.run(["test", "-e", TARGET], check=False).status == 1
    (host.release / ".env").chmod(0o600)
    done = host.deploy()
    assert done.returncode == 0, done.stdout
    assert "deployed: every service is healthy" in done.stdout
    return host


@pytest.mark.req("R-10.1-deploy-script", "R-10.1-deploy-refuses")
def test_a_first_release_serves(running: Host) -> None:
    """After a refusal that left nothing: image, files, .env, units and a service that answers on its port."""
    assert running.banner() == "first\n"
    stat = running.console.run(
        ["stat", "-c", "%a %U", f"{TARGET}/.env", f"{TARGET}/data/certs/mailserver.key"]
    )
    assert stat.stdout == "600 root\n600 root\n"
    for unit in ("mailserver.service", "mailserver-firewall.service", "mailserver-cert.timer"):
        assert running.console.run(["systemctl", "is-enabled", unit]).stdout == "enabled\n"
        assert running.console.run(["systemctl", "is-active", unit]).stdout == "active\n"
    assert running.failed_units() == set()


@pytest.mark.req("R-10.1-deploy-firewall-first")
def test_the_rules_were_there_before_the_first_container(running: Host) -> None:
    """By systemd's and Docker's own clocks; the tailnet's zone is bound and the table loaded (F42, F43)."""
    rules = "systemctl show -P ActiveEnterTimestamp mailserver-firewall.service"
    start = "docker inspect -f '{{.Created}}' mailserver-good-1"
    times = running.console.run(["bash", "-c", f'date -d "$({rules})" +%s; date -d "$({start})" +%s']).stdout
    loaded, created = map(int, times.split())
    assert loaded <= created
    assert running.console.run(["firewall-cmd", "--get-zone-of-interface=tailscale0"]).stdout == "tailscale\n"
    assert "into_containers" in running.console.run(["nft", "list", "table", "inet", "mailserver"]).stdout


@pytest.mark.req("R-10.1-deploy-again")
def test_the_same_release_again_changes_nothing(running: Host) -> None:
    """A dry run and a real one: same files, units and containers, and it says so."""
    before = running.state()
    dry = running.deploy("--dry-run")
    assert (dry.returncode, "would put" in dry.stdout) == (0, False), dry.stdout
    again = running.deploy()
    assert again.returncode == 0, again.stdout
    assert "nothing has changed: this release was in place" in again.stdout
    assert running.state() == before


@pytest.fixture
def first_again(running: Host) -> Iterator[None]:
    """Afterwards the machine has its first release again."""
    yield
    for kind in ("timer", "service"):
        (running.release / f"host/mailserver-new.{kind}").unlink(missing_ok=True)
    running.put("config/good/banner", "first\n")
    running.put("config/good/state", "well\n")
    done = running.deploy()
    assert (done.returncode, running.banner()) == (0, "first\n"), done.stdout


@pytest.mark.req("R-10.1-roll-back")
@pytest.mark.usefixtures("first_again")
def test_a_release_that_does_not_get_healthy_gives_way_to_the_former(running: Host) -> None:
    """By message, port and hash of every file and unit; healed, the same release stays."""
    files, units, _ = running.state()
    running.put("config/good/banner", "second\n")
    running.put("config/good/state", "ill\n")
    running.put("host/mailserver-new.timer", "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n")
    running.put("host/mailserver-new.service", "[Service]\nExecStart=/bin/true\n")
    failed = running.deploy("--wait", "20")
    assert failed.returncode == 1, failed.stdout
    assert "good: running, unhealthy" in failed.stdout
    assert "rolled back: the former release serves" in failed.stdout
    assert running.banner() == "first\n"
    assert running.state()[:2] == (files, units)
    assert running.failed_units() == set()
    running.put("config/good/state", "well\n")
    healed = running.deploy()
    assert healed.returncode == 0, healed.stdout
    assert running.banner() == "second\n"
    assert running.console.run(["systemctl", "is-active", "mailserver-new.timer"]).stdout == "active\n"


@pytest.mark.req("R-10.1-deploy-refuses")
def test_a_machine_that_left_the_tailnet_is_refused(running: Host) -> None:
    """Its words, no change, and the service goes on."""
    running.console.run(["mv", "/usr/local/bin/tailscale", "/root/tailscale"])
    try:
        before = running.state()
        done = running.deploy()
        assert (done.returncode, "this host is in no tailnet" in done.stdout) == (1, True), done.stdout
        assert running.state() == before
    finally:
        running.console.run(["mv", "/root/tailscale", "/usr/local/bin/tailscale"])
    assert running.deploy().returncode == 0
