"""backup.sh: what an archive holds, who can read it, and when it counts (design 9.1, 9.2, 6.1.3)."""

import hashlib
import stat
import subprocess
from pathlib import Path

import pytest

from tests.unit.operations.backups import (
    ALICE,
    DATABASE,
    DAY,
    NOON,
    BackedUp,
    contents,
    kept,
    key_pair,
    opened,
)


@pytest.fixture
def site(tmp_path: Path) -> BackedUp:
    """A deployed folder with mail, and two disks."""
    return BackedUp(tmp_path)


def _hashes(members: dict[str, bytes], below: str) -> dict[str, str]:
    return {
        name.removeprefix(below): content.decode()
        if name.endswith(".dovecot.sieve")
        else hashlib.sha256(content).hexdigest()
        for name, content in members.items()
        if name.startswith(below)
    }


@pytest.mark.req("R-9.1-everything-in-it")
def test_a_daily_one_holds_mail_database_lessons_and_users(site: BackedUp) -> None:
    """Messages with flags, folders, rules, keywords and UIDs; nothing half written, no index (F81)."""
    members = opened(site.made())
    assert _hashes(members, "mail/") == kept(site)
    assert "mail/two.example.org/new/Maildir/.Sent/cur/2.M1P1.mailserver,S=9:2,FRSa" in members
    assert "mail/two.example.org/new/Maildir/subscriptions" in members
    assert members["database.sql"].decode() == DATABASE
    assert members["redis.rdb"] == b"REDIS0011 learned"
    assert members["users"] == site.users.read_bytes()
    assert not [name for name in members if "/tmp/" in name or "index" in name or name.endswith(".lock")]
    assert b"messages 24\n" in members["MANIFEST"]


@pytest.mark.req("R-9.1-everything-in-it")
def test_a_weekly_one_holds_configuration_and_certificates(site: BackedUp) -> None:
    """.env with its secrets, all of config/ with users and SendGrid's key, certificate and key (F85)."""
    (site.root / "config/.env.new.Ab1Xyz").write_text("half a file")
    members = opened(site.made("weekly"))
    assert members["env"] == (site.root / ".env").read_bytes()
    assert _hashes(members, "certs/") == contents(site.root / "data/certs")
    config = contents(site.root / "config")
    expected = {name: value for name, value in config.items() if ".lock" not in name and ".new." not in name}
    assert _hashes(members, "config/") == expected
    assert "postfix/sasl_passwd" in expected
    assert members["users"] == site.users.read_bytes()


@pytest.mark.req("R-9.1-two-places", "R-9.2-verified")
@pytest.mark.parametrize("kind", ["daily", "weekly"])
def test_it_lies_on_both_disks_with_what_is_known_of_it(site: BackedUp, kind: str) -> None:
    """The same bytes, a manifest with their hash; nobody else may read either, nothing else is left."""
    archive = site.made(kind)
    for disk in site.disks:
        lies = disk / archive.name
        text = lies.with_name(f"{lies.name}.manifest").read_text()
        assert f"sha256 {hashlib.sha256(lies.read_bytes()).hexdigest()}\n" in text
        assert text.startswith(f"format 1\nkind {kind}\ncreated 20261129T120000Z\n")
        assert {stat.S_IMODE(path.stat().st_mode) for path in disk.iterdir()} == {0o600}
        assert len(list(disk.iterdir())) == 2
    assert site.archives(0)[0].read_bytes() == archive.read_bytes()
    assert not (site.root / "data/.backup").exists()


@pytest.mark.req("R-6.1.3-backup-encrypted")
@pytest.mark.parametrize("kind", ["daily", "weekly"])
def test_only_the_key_that_is_elsewhere_opens_it(site: BackedUp, kind: str) -> None:
    """No word of it stands in clear text on the disks, another key opens nothing, the owner's does (F84)."""
    archive = site.made(kind)
    for path in (*site.disks[0].iterdir(), *site.disks[1].iterdir()):
        content = path.read_bytes()
        assert not [word for word in (b"alice", b"Maildir", b"SG.one", b"BLF-CRYPT") if word in content]
    with pytest.raises(subprocess.CalledProcessError):
        opened(archive, key_pair("stranger")[0])
    assert b"BLF-CRYPT" in opened(archive)["users"]
    held = [path for path in site.root.rglob("*") if path.is_file() and b"SECRET-KEY" in path.read_bytes()]
    assert held == []


@pytest.mark.req("R-6.1.3-backup-encrypted")
def test_it_may_be_sealed_for_two_keys(site: BackedUp) -> None:
    """The owner's, and a spare one that lies in another house; each opens it alone."""
    site.configure(BACKUP_RECIPIENT=f"{key_pair()[1]} {key_pair('spare')[1]}")
    archive = site.made()
    assert opened(archive) == opened(archive, key_pair("spare")[0])


@pytest.mark.req("R-6.1.3-backup-encrypted")
def test_a_private_key_on_the_host_is_refused(site: BackedUp) -> None:
    """Also among public ones, and it is not repeated."""
    secret = key_pair()[0].splitlines()[-1]
    site.configure(BACKUP_RECIPIENT=f"{key_pair()[1]} {secret}")
    done = site.backup()
    assert (done.returncode, site.archives()) == (1, [])
    assert "is no public key" in done.stderr
    assert secret not in done.stdout + done.stderr


@pytest.mark.req("R-9.2-no-secret-in-arguments")
@pytest.mark.parametrize("kind", ["daily", "weekly"])
def test_no_secret_in_what_is_called_or_said(site: BackedUp, kind: str) -> None:
    """The arguments of every program it starts, its words, and the files that it makes on the way (F83)."""
    site.configure(MYSQL_ROOT_PASSWORD="root-password-of-a-test", MYSQL_PASSWORD="password-of-a-test")
    for name in ("age", "tar", "sha256sum", "cp", "dd"):
        real = next(path for path in (f"/usr/bin/{name}", f"/bin/{name}") if Path(path).exists())
        site.program(
            name,
            f'#!/bin/sh\necho "{name} $*" >>"$LOG"\n'
            'cd "$(dirname "$LOG")/data" || exit\n'
            'find .backup -perm /077 ! -path "*/stage/*" >>"$LOG.open" 2>/dev/null\ncd "$OLDPWD"\n'
            f'exec {real} "$@"\n',
        )
    done = site.backup(kind)
    assert done.returncode == 0, done.stderr
    calls = site.calls()
    assert [call for call in calls if call.startswith("age -r")]
    for text in (*calls, done.stdout, done.stderr):
        assert not [word for word in ("of-a-test", "BLF-CRYPT", "SG.one") if word in text]
    assert site.told("open") == ""


@pytest.mark.req("R-9.2-consistent")
def test_the_database_is_read_in_one_transaction(site: BackedUp) -> None:
    """Whatever the webmail writes meanwhile; procedures and events with it, by the socket and no password."""
    site.made()
    [dump] = [call for call in site.calls() if "mariadb-dump" in call]
    assert " --single-transaction " in dump
    assert dump.endswith(" --databases roundcube")
    assert not [word for word in ("-p", "--password", "MYSQL_PWD") if f" {word}" in dump]


@pytest.mark.req("R-10.1-scripts")
@pytest.mark.parametrize("kind", ["daily", "weekly"])
def test_a_dry_run_looks_and_changes_nothing(site: BackedUp, kind: str) -> None:
    """Settings and disks are looked at; no service is asked and no file made."""
    before = contents(site.root / "data")
    done = site.backup(kind, "--dry-run")
    assert (done.returncode, site.calls(), site.archives()) == (0, [], []), done.stderr
    assert done.stdout.startswith(f"dry run: would make a {kind} backup in ")
    assert contents(site.root / "data") == before
    site.set("mounted", "")
    assert site.backup(kind, "--dry-run").returncode == 1


@pytest.mark.req("R-10.1-scripts")
@pytest.mark.parametrize("words", [(), ("monthly",), ("daily", "weekly"), ("--surely", "daily")])
def test_a_wrong_call_is_refused(site: BackedUp, words: tuple[str, ...]) -> None:
    """Status 2, and nothing was asked."""
    done = site.run("backup.sh", *words)
    assert (done.returncode, site.calls(), site.archives()) == (2, [], [])
    assert "usage: backup.sh" in done.stderr


@pytest.mark.req("R-9.2-verified")
def test_the_next_one_leaves_the_former_alone(site: BackedUp) -> None:
    """Two days, two archives; each holds the mail of its day."""
    first = site.made()
    (site.maildir(ALICE) / "new/9.M1P1.mailserver").write_text("later")
    second = site.made(at=NOON + DAY)
    late = "mail/one.example.org/alice/Maildir/new/9.M1P1.mailserver"
    assert (late in opened(first), late in opened(second)) == (False, True)
    assert len(site.archives(0)) == len(site.archives(1)) == 2
