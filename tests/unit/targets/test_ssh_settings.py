"""OpenSSH's own client reads the settings as meant: asked by ``ssh -G``, which connects to nobody."""

import shutil
import subprocess
from pathlib import Path

import pytest

from fixtures.proof.skip import CapabilityAbsent
from fixtures.targets import ssh
from fixtures.targets.file import load_target
from fixtures.targets.host import connection
from tests.unit.targets.files import written

pytestmark = [
    pytest.mark.req("R-0-target-ways"),
    pytest.mark.skipif(shutil.which("ssh") is None, reason=CapabilityAbsent("no OpenSSH client here")),
]

STRICT = {
    "batchmode": "yes",
    "stricthostkeychecking": "true",
    "globalknownhostsfile": "/dev/null",
    "updatehostkeys": "false",
    "connecttimeout": "8",
}


def _settings(argv: list[str]) -> dict[str, str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return {key: value for key, _, value in (line.partition(" ") for line in done.stdout.splitlines())}


def test_a_way_is_opened_strictly(tmp_path: Path) -> None:
    """Also when the path of the known keys has a blank in it."""
    known = tmp_path / "my keys"
    called = ssh.argv("probe@vps.example.net", known, port=2222, more=["-G", "-F", "/dev/null"])
    found = _settings(called)
    assert {key: found[key] for key in STRICT} == STRICT
    assert (found["user"], found["hostname"], found["port"]) == ("probe", "vps.example.net", "2222")
    # ssh -G prints the file's name without quotes; a name that had been split would lack its second half.
    assert found["userknownhostsfile"] == str(known)


def test_the_host_is_asked_strictly_whatever_the_user_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that testinfra gets comes before the user's own configuration, which believes any key."""
    own = tmp_path / "own"
    own.write_text("Host *\n  StrictHostKeyChecking no\n  IdentityFile /tmp/own-key\n", encoding="utf-8")
    connection(load_target("staging", written(tmp_path)), tmp_path)
    config = tmp_path / "ssh_config"
    config.write_text(config.read_text(encoding="utf-8").replace("~/.ssh/config", str(own)), encoding="utf-8")
    found = _settings(["ssh", "-G", "-F", str(config), "mailserver.example.net"])
    assert {key: found[key] for key in STRICT} == STRICT
    assert found["userknownhostsfile"] == str(tmp_path / "known_hosts")
    assert found["identityfile"] == "/tmp/own-key"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "debug1: x\nssh: connect to host a port 22: No route to host\n",
            "VantageDown: ssh to a: ssh: connect to",
        ),
        ("kex_exchange_identification: Connection closed\n", "VantageDown: ssh to a: kex_exchange"),
        (
            "Received disconnect: Too many authentication failures\n",
            "PermissionMissing: ssh to a: it does not",
        ),
        ("", "VantageDown: ssh to a: it ended without a word"),
    ],
)
def test_its_words_are_read(said: str, told: str) -> None:
    """The kind of reason, and its last line where that says more."""
    assert ssh.reason("a", said).startswith(told)
