"""Starting single services of ``compose/`` with the files that deploy, on networks of their own."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from typing import Any

from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from fixtures.authority import Authority
from fixtures.engine.client import engine
from fixtures.engine.containers import ContainerSpec, remove, start
from fixtures.engine.execute import execute
from fixtures.engine.images import build_all
from fixtures.engine.labels import labels
from fixtures.wait import wait_for
from fixtures.world.images import ROOT, catalogue

HOSTNAME = "mailserver.example-tailnet.ts.net"
DOMAIN = "example.org"
LIMIT = 2_000_000  # bytes; small, so that "too large" is quick to send
START = timedelta(seconds=40)

_HERE = Path(__file__).parent
_numbers = count(1)


def _network(purpose: str, subnet: str) -> Network:
    """A bridge without a way out and with a name of its own; this machine is its first host."""
    own = str(next(ip_network(subnet).hosts()))
    return engine().networks.create(
        f"mailproof-test-compose-{os.getpid()}-{purpose}-{next(_numbers)}",
        internal=True,
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=own)]),
        labels=labels("test-compose"),
    )


def _first_free(purpose: str, subnets: Sequence[str]) -> Network:
    for subnet in subnets:
        try:
            return _network(purpose, subnet)
        except APIError as error:
            if "overlaps" not in str(error):
                raise
    raise RuntimeError(f"no free range from {subnets[0]}; remove networks that earlier runs left behind")


def tailnet_like() -> Network:
    """A network whose hosts pass as the tailnet's members; raises RuntimeError when sixty are taken."""
    return _first_free("tailnet", [f"100.127.{number}.0/24" for number in range(60, 120)])


def elsewhere() -> Network:
    """The Internet, as far as services can tell; wide enough for hosts that are far from each other."""
    return _first_free("elsewhere", [f"10.{number}.0.0/16" for number in range(200, 250)])


@dataclass
class Bench:
    """A folder with deployable configuration, certificates and secrets, and the services on it."""

    folder: Path
    network: Network
    authority: Authority = field(default_factory=Authority.create)
    places: list[str] = field(default_factory=list)
    number: int = field(default_factory=_numbers.__next__)

    def __post_init__(self) -> None:
        shutil.copytree(ROOT / "compose/config", self.folder / "config")
        # No name server at all, refused at once: names come from extra_hosts.
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        (self.folder / "ca.crt").write_bytes(self.authority.certificate_pem)
        self.certificate("certs", "mailserver", HOSTNAME)
        for name in ("secrets", "spool", "mail", "db", "clamav", "rspamd"):
            (self.folder / name).mkdir()

    def certificate(self, folder: str, name: str, host: str) -> None:
        """Issue a certificate of the bench's authority into a folder as ``name.crt`` and ``name.key``."""
        issued = self.authority.issue(host)
        (self.folder / folder).mkdir(exist_ok=True)
        (self.folder / folder / f"{name}.crt").write_bytes(issued.certificate)
        (self.folder / folder / f"{name}.key").write_bytes(issued.key)

    def secret(self, name: str, value: str) -> None:
        """Provide a secret file."""
        (self.folder / "secrets" / name).write_text(value)

    def place(self, service: str) -> str:
        """The place name of a service on this bench."""
        return f"test-compose-{os.getpid()}-{self.number}-{service}"

    def start(
        self,
        service: str,
        image: str,
        env: Mapping[str, str],
        mounts: Mapping[str, str],
        *,
        command: Sequence[str] | None = None,
        at: str | None = None,
        neighbours: Mapping[str, str] | None = None,
        network: Network | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Container:
        """Start a service; ``mounts`` maps a path in the bench's folder to one in the container."""
        build_all([catalogue()[image]], jobs=1)
        chosen = dict(options or {})
        own = (
            {"resolv.conf": "/etc/resolv.conf"} if "network_mode" not in chosen and service != "nginx" else {}
        )
        name = str((network or self.network).name)
        spec = ContainerSpec(
            self.place(service),
            catalogue()[image].tag,
            command=command,
            env=env,
            addresses={} if "network_mode" in chosen else {name: at},
            volumes=[
                (str(self.folder / source), target, "rw") for source, target in {**own, **mounts}.items()
            ],
            options={**chosen, **({"extra_hosts": dict(neighbours)} if neighbours else {})},
        )
        remove(spec.place)
        self.places.append(spec.place)
        return start(spec)

    def address(self, container: Container) -> str:
        """The container's address on the bench's network."""
        container.reload()
        return str(container.attrs["NetworkSettings"]["Networks"][self.network.name]["IPAddress"])

    def double(
        self, service: str, *arguments: str, beside: Container | None = None, at: str | None = None
    ) -> Container:
        """Start the scripted SMTP server, alone or in another container's network namespace."""
        shutil.copy(_HERE / "smtp_double.py", self.folder / "smtp_double.py")
        options: dict[str, Any] = {"entrypoint": ["python3", "/bench/smtp_double.py"]}
        if beside is not None:
            options |= {"network_mode": f"container:{beside.id}", "hostname": None}
        found = self.start(service, "toolbox", {}, {".": "/bench"}, command=arguments, options=options, at=at)
        wait_for("the SMTP double listens", lambda: b'"ready"' in found.logs(), timeout=START)
        return found

    def stop(self) -> None:
        """Remove everything the bench started; root-owned files go through a container."""
        for place in reversed(self.places):
            remove(place)
        self.network.remove()
        engine().containers.run(
            catalogue()["base"].tag,
            ["find", "/bench", "-mindepth", "1", "-delete"],
            volumes={str(self.folder): {"bind": "/bench", "mode": "rw"}},
            network_mode="none",
            remove=True,
        )


def wait_until_healthy(container: Container, check: str = "/usr/local/bin/healthcheck") -> None:
    """Wait for the service's own health check; a container that has exited ends the wait with its log."""

    def status() -> int:
        container.reload()
        return execute(container, [check]).status if container.status == "running" else -1

    def dead(found: int) -> str | None:
        return f"it exited:\n{container.logs(tail=20).decode()}" if found == -1 else None

    wait_for(f"{container.name} is healthy", status, timeout=START, until=lambda found: found == 0, dead=dead)


def events(double: Container) -> list[dict[str, Any]]:
    """What the SMTP double has seen so far."""
    return [json.loads(line) for line in double.logs(stderr=False).splitlines()]
