"""The host that the mail server was deployed to, through testinfra: the world's, or a live one.

Without a word these specs look at the simulated host, by its console and by ssh. ``--target NAME`` leads them
to a deployed one by ssh, and so does ``MAILPROOF_HOST``, as testinfra names it, e.g. ``ssh://root@mailserver``;
then nothing of a world is needed.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra  # type: ignore[import-untyped]

from fixtures.targets.host import reached
from fixtures.targets.plugin import described
from fixtures.targets.sim import Sim

LIVE = os.environ.get("MAILPROOF_HOST")
# Several modules' keys can be there at a time; the last one takes the folder with it.
_ADMIT = "umask 077; mkdir -p /root/.ssh && cat >>/root/.ssh/authorized_keys"
_FORGET = """
cd /root/.ssh && umask 077 || exit 1
grep -vxF -- "$1" authorized_keys >kept || true
if [ -s kept ]; then mv kept authorized_keys; else rm -rf /root/.ssh; fi
"""
Host = Any
"""testinfra's; it has no types of its own."""


@pytest.fixture(scope="session", autouse=True)
def books_closed() -> None:
    """No mail is sent here, so that there is no ledger to balance."""


@pytest.fixture(autouse=True)
def ledger_page() -> None:
    """Nor a page of it."""


def _ssh_config(world: Sim, folder: Path) -> Path:
    """How the ssh client here gets to the simulated host's own server, whose key is known beforehand.

    No wire leads from this process to the host, so its console carries the connection.
    """
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    own = world.dell.run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout.split()[:2]
    (folder / "known").write_text(f"mailserver {' '.join(own)}\n")
    settings = {
        "IdentityFile": folder / "key",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": folder / "known",
        "ProxyCommand": f"docker exec -i {world.dell.name} nc 127.0.0.1 22",
    }
    config = folder / "config"
    config.write_text(
        "Host mailserver\n" + "".join(f"  {name} {value}\n" for name, value in settings.items())
    )
    return config


def admitted(world: Sim, folder: Path) -> Iterator[str]:
    """The simulated host by ssh, for as long as it takes this key."""
    config = _ssh_config(world, folder)
    key = (folder / "key.pub").read_text().strip()
    world.dell.run(["sh", "-c", _ADMIT], f"{key}\n".encode())
    try:
        yield f"ssh://root@mailserver?ssh_config={config}"
    finally:
        world.dell.run(["sh", "-c", _FORGET, "forget", key])


_WAYS = [
    pytest.param("docker", marks=pytest.mark.needs("simulation")),
    pytest.param("ssh", marks=pytest.mark.needs("host")),
]


@pytest.fixture(scope="session", params=["live"] if LIVE else _WAYS)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The host, by each way that leads to it."""
    if LIVE:
        yield testinfra.get_host(LIVE)
        return
    if description := described(request.config):
        yield reached(description, tmp_path_factory.mktemp("target"))
        return
    world: Sim = request.getfixturevalue("world")
    if request.param == "docker":
        yield testinfra.get_host(f"docker://{world.dell.name}")
        return
    for name in admitted(world, tmp_path_factory.mktemp("ssh")):
        yield testinfra.get_host(name)


@pytest.fixture(scope="session")
def variables(host: Host) -> dict[str, str]:
    """The values of the host's .env that are no secrets."""
    text = host.check_output(
        "grep -E '^(MAIL_HOSTNAME|TAILNET_IP|CA_BUNDLE|IMAGE_[A-Z]+)=' /opt/mailserver/.env"
    )
    pairs = (line.split("=", 1) for line in text.splitlines())
    found = {name: value.strip("'\"") for name, value in pairs}
    assert {"MAIL_HOSTNAME", "TAILNET_IP", "CA_BUNDLE"} <= set(found)
    return found
