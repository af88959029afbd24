"""Getting to a target's places: a proxy, ssh that opens one, or being there; and why not."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from python_socks import ProxyError

from fixtures.probe.reach import Answer, probe
from fixtures.proof.skip import CannotTellError
from fixtures.targets.deployed import Deployed
from fixtures.targets.file import load_target
from fixtures.targets.tables import Way
from fixtures.targets.ways import opened
from tests.unit.checks.servers import proxy, serving
from tests.unit.targets.files import GOOD, written

pytestmark = pytest.mark.req("R-0-target-ways")

SSH = f"""#!{sys.executable}
import os, signal, sys
from pathlib import Path
signal.alarm(60)  # it ends by itself when nobody ends it
folder = Path(os.environ["FAKE_SSH"])
(folder / "arguments").write_text("\\n".join(sys.argv[1:]))
(folder / "pid").write_text(str(os.getpid()))
if (folder / "refusal").exists():
    sys.exit((folder / "refusal").read_text())
sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})
from tests.unit.checks import servers
where = {{25: int((folder / "there").read_text())}}
port = int(sys.argv[sys.argv.index("-D") + 1].rpartition(":")[2])
with servers.proxy(where, port):
    signal.pause()
"""


@pytest.fixture
def listener() -> Iterator[int]:
    """A port at which something listens."""
    with serving(lambda client: None) as port:
        yield port


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: int) -> Path:
    """An ssh that serves SOCKS5 where ``-D`` says, or refuses with OpenSSH's words."""
    folder = tmp_path / "fake"
    folder.mkdir()
    (folder / "there").write_text(str(listener), encoding="utf-8")
    program = folder / "ssh"
    program.write_text(SSH, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("FAKE_SSH", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ssh_is_opened_for_the_time_and_closed(fake_ssh: Path, tmp_path: Path) -> None:
    """One looks from there while it is open, by a strict client; afterwards no process is left."""
    known = tmp_path / "known"
    with opened("internet-host", Way(ssh="probe@vps.example.net"), known) as vantage:
        assert probe(vantage, "mx.example.net", 25) is Answer.OPEN
        assert probe(vantage, "mx.example.net", 26) is Answer.FILTERED
        pid = int((fake_ssh / "pid").read_text(encoding="utf-8"))
        assert _alive(pid)
    assert not _alive(pid)
    called = (fake_ssh / "arguments").read_text(encoding="utf-8").splitlines()
    for setting in ("StrictHostKeyChecking=yes", "BatchMode=yes", f'UserKnownHostsFile="{known}"'):
        assert setting in called
    assert called[-2:] == ["--", "probe@vps.example.net"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Host key verification failed.", "VantageDown: ssh to vps.example.net: it shows another host key"),
        ("vps.example.net: Permission denied (publickey).", "PermissionMissing: ssh to vps.example.net"),
        ("ssh: Could not resolve hostname", "VantageDown: ssh to vps.example.net: ssh: Could not resolve"),
    ],
)
def test_ssh_that_does_not_get_there_says_why(fake_ssh: Path, said: str, told: str) -> None:
    """In a typed reason, at once."""
    (fake_ssh / "refusal").write_text(said, encoding="utf-8")
    with (
        pytest.raises(CannotTellError) as caught,
        opened("internet-host", Way(ssh="vps.example.net"), None),
    ):
        pytest.fail("it was opened")
    assert str(caught.value.reason).startswith(told)


def test_being_there_is_told_as_a_proxy_would(listener: int) -> None:
    """Open, refused, and a name without an address."""
    with opened("tailnet-pc", Way(direct=True), None) as vantage:
        assert probe(vantage, "127.0.0.1", listener) is Answer.OPEN
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            assert probe(vantage, "127.0.0.1", unused.getsockname()[1]) is Answer.REFUSED
        with pytest.raises(ProxyError):
            vantage.dial("nowhere.invalid", 25)


def test_a_target_opens_a_way_once_and_names_a_missing_one(tmp_path: Path, listener: int) -> None:
    """The same vantage each time; a place that the file does not have is no vantage."""
    with proxy({25: listener}) as port:
        text = GOOD.replace("127.0.0.1:1080", f"127.0.0.1:{port}")
        target = Deployed(load_target("staging", written(tmp_path, text)))
        vantage = target.vantage("tailnet-pc")
        assert target.vantage("tailnet-pc") is vantage
        assert probe(vantage, "anything.example.net", 25) is Answer.OPEN
        with pytest.raises(CannotTellError, match="CapabilityAbsent: target staging has no vantage lan-host"):
            target.vantage("lan-host")
        target.close()
