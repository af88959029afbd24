"""What a check says of the mail server's host, through a stand-in for ssh that speaks OpenSSH's words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fixtures.checks import inside
from fixtures.checks.item import Finding
from fixtures.proof.verdict import Word
from tests.unit.checks.host import FakeHost
from tests.unit.checks.system import SSH, seen, system

pytestmark = pytest.mark.req("R-0-check-verdicts")

NAMES = ("host: ssh", "host: backup", "host: queue", "host: disk", "host: alerts")
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key for mailserver.example.net has changed and you have requested strict checking.
Host key verification failed.
"""
UNKNOWN = """No ED25519 host key is known for mailserver.example.net and you have requested strict checking.
Host key verification failed.
"""
DENIED = "reader@mailserver.example.net: Permission denied (publickey).\n"
SILENT = "ssh: connect to host mailserver.example.net port 22: Connection timed out\n"


def _archive(age: timedelta) -> str:
    return f"/mnt/backup/mailserver/mailserver-daily-{datetime.now(UTC) - age:%Y%m%dT%H%M%SZ}.tar.age\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host on which all is well."""
    made = FakeHost(tmp_path / "fake", monkeypatch)
    made.says("backups", _archive(timedelta(days=3)) + _archive(timedelta(hours=5)))
    return made


def _look(folder: Path, name: str) -> Finding:
    return seen(inside.looks(system(folder, ["host"], SSH)), name)


@pytest.mark.parametrize("name", NAMES)
def test_a_host_that_is_well_passes(host: FakeHost, tmp_path: Path, name: str) -> None:
    """Each look, by a client that asks nothing and believes no unknown key."""
    assert _look(tmp_path, name)[0] is Word.PASS
    assert "reader" in " ".join(host.arguments().values())


def test_ssh_is_told_to_be_strict(host: FakeHost, tmp_path: Path) -> None:
    """The settings stand in the file that ssh is called with; the call's own options do not undo them."""
    target = system(tmp_path, ["host"], SSH)
    from fixtures.targets.host import connection

    assert "sudo" not in connection(target.description, tmp_path, sudo=False)
    settings = (tmp_path / "ssh_config").read_text(encoding="utf-8")
    for line in (
        "StrictHostKeyChecking yes",
        "BatchMode yes",
        f'UserKnownHostsFile "{tmp_path}/known_hosts"',
    ):
        assert f"  {line}\n" in settings
    _look(tmp_path, "host: ssh")
    assert not [word for word in host.arguments().values() if "StrictHostKeyChecking" in word]


@pytest.mark.parametrize(
    ("said", "word", "told"),
    [
        (CHANGED, Word.FAIL, "it shows another host key than known_hosts has"),
        (
            UNKNOWN,
            Word.COULD_NOT_TELL,
            "PermissionMissing: ssh to reader@mailserver.example.net: known_hosts has no",
        ),
        (
            DENIED,
            Word.COULD_NOT_TELL,
            "PermissionMissing: ssh to reader@mailserver.example.net: it does not let",
        ),
        (
            SILENT,
            Word.COULD_NOT_TELL,
            "VantageDown: ssh to reader@mailserver.example.net: ssh: connect to host",
        ),
    ],
)
def test_a_host_that_is_not_reached_is_told_by_why(
    host: FakeHost, tmp_path: Path, said: str, word: Word, told: str
) -> None:
    """Another host key is a failure; and nothing is known of what lies behind."""
    host.refuses(said)
    found = _look(tmp_path, "host: ssh")
    assert (found[0], told in found[1]) == (word, True), found
    for name in NAMES[1:]:
        assert _look(tmp_path, name)[0] is Word.COULD_NOT_TELL, name


@pytest.mark.parametrize("name", NAMES)
def test_without_sudo_only_what_needs_it_is_not_known(host: FakeHost, tmp_path: Path, name: str) -> None:
    """The disk and the login need no root."""
    host.without_sudo()
    word, text = _look(tmp_path, name)
    if name in ("host: ssh", "host: disk"):
        assert word is Word.PASS, text
    else:
        assert (word, "PermissionMissing: sudo on reader@" in text) == (Word.COULD_NOT_TELL, True), text


@pytest.mark.parametrize(
    ("program", "text", "name", "told"),
    [
        ("backups", _archive(timedelta(hours=31)), "host: backup", "31 hours old; allowed: 30"),
        ("backups", "", "host: backup", "there is no daily archive"),
        (
            "backups",
            "/mnt/backup/mailserver/mailserver-daily-x.tar.age\n",
            "host: backup",
            "there is no daily archive",
        ),
        ("docker", '{"queue_id": "A"}\n' * 51, "host: queue", "51 messages wait; allowed: 50"),
        ("df", "Use% Mounted on\n 91% /\n 70% /opt/mailserver\n", "host: disk", "/ is 91 % full"),
        ("alerts", "/var/lib/mailserver/alerts/1700000000\n", "host: alerts", "1 alerts could not be told"),
        ("systemctl", "inactive\n", "host: alerts", "mailserver-monitor.timer is inactive"),
    ],
    ids=["old-archive", "no-archive", "name-without-time", "queue", "disk", "untold-alert", "no-timer"],
)
def test_what_is_not_as_it_should_be_fails(
    host: FakeHost, tmp_path: Path, program: str, text: str, name: str, told: str
) -> None:
    """With the figure that is wrong, and the one that is allowed; the other looks pass."""
    host.says(program, text)
    word, seen_there = _look(tmp_path, name)
    assert (word, told in seen_there) == (Word.FAIL, True), seen_there
    assert [other for other in NAMES if other != name and _look(tmp_path, other)[0] is not Word.PASS] == []


def test_a_program_that_hangs_tells_nothing(host: FakeHost, tmp_path: Path) -> None:
    """And holds up nothing else."""
    host.says("docker", "", 124)
    word, text = _look(tmp_path, "host: queue")
    assert (word, "no answer about queue within 8 s" in text) == (Word.COULD_NOT_TELL, True), text
    assert _look(tmp_path, "host: backup")[0] is Word.PASS


def test_a_program_that_fails_is_no_good_news(host: FakeHost, tmp_path: Path) -> None:
    """An empty answer with an error is neither an empty queue nor an empty disk."""
    host.says("docker", "Error: No such container: mailserver-postfix\n", 1)
    host.says("df", "", 1)
    assert _look(tmp_path, "host: queue")[0] is Word.FAIL
    assert _look(tmp_path, "host: disk")[0] is Word.COULD_NOT_TELL
