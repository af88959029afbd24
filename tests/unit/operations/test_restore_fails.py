"""A restore that cannot be done changes nothing; one that breaks off loses nothing (design 9)."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.operations.backups import ALICE, NOON, BackedUp, contents, kept, key_pair, opened, reseal
from tests.unit.operations.killed import Killer

SEEDS = range(20)


@pytest.fixture
def site(tmp_path: Path) -> BackedUp:
    """A deployed folder with mail, and two disks."""
    return BackedUp(tmp_path)


def _cut(archive: Path, at: int) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) * at // 100])


def _flip(archive: Path, at: int) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) * at // 100 - 1] ^= 1
    archive.write_bytes(content)


@pytest.mark.req("R-9.2-verified")
@pytest.mark.parametrize("manifest", [True, False], ids=["with manifest", "without"])
@pytest.mark.parametrize("at", [1, 50, 99])
@pytest.mark.parametrize("spoil", [_cut, _flip])
def test_a_cut_or_damaged_archive_is_noticed(
    site: BackedUp, spoil: Callable[[Path, int], None], at: int, manifest: bool
) -> None:
    """Anywhere, by its manifest or by the encryption alone, before anything changes; the other is good."""
    daily = site.made()
    if not manifest:
        daily.with_name(f"{daily.name}.manifest").unlink()
    spoil(daily, at)
    before = contents(site.root / "data")
    for words in (("--check",), ("--force",), ("--mailbox", ALICE)):
        done = site.restore(daily, *words)
        assert (done.returncode, contents(site.root / "data")) == (1, before)
        assert str(daily) in done.stderr
    assert site.restore(site.archives(0)[0], "--check").returncode == 0


def _change(name: str, content: bytes | None) -> Callable[[dict[str, bytes]], None]:
    def act(members: dict[str, bytes]) -> None:
        if content is None:
            del members[name]
        else:
            members[name] = content

    return act


INSIDE: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "a file is changed": (_change("database.sql", b"DROP"), "damaged inside"),
    "a file is missing": (_change("redis.rdb", None), "damaged inside"),
    "a file is added": (_change("mail/x/y/Maildir/cur/z", b"z"), "its list does not name"),
    "no list": (_change("SHA256SUMS", None), "no backup of this system"),
    "no manifest": (_change("MANIFEST", None), "no backup of this system"),
    "a newer format": (_change("MANIFEST", b"format 2\nkind daily\n"), "deploy the newer release"),
    "no format": (_change("MANIFEST", b"kind daily\n"), "of what format"),
    "another kind": (_change("MANIFEST", b"format 1\nkind ../x\n"), "a daily or a weekly"),
}


@pytest.mark.req("R-9.2-verified")
@pytest.mark.parametrize("what", INSIDE)
def test_what_is_inside_is_checked_file_by_file(site: BackedUp, what: str) -> None:
    """Each file against the list that was made before it was packed; the same archive unchanged is good."""
    daily = site.made()
    members = opened(daily)
    assert site.restore(reseal(daily, members, sums=False), "--check").returncode == 1  # without its link
    link = [name for name in members if name.endswith(".dovecot.sieve")]
    for name in link:
        del members[name]
    assert site.restore(reseal(daily, members, sums=False), "--check").returncode == 0
    change, why = INSIDE[what]
    change(members)
    done = site.restore(reseal(daily, members, sums=False), "--check")
    assert (done.returncode, why in done.stderr) == (1, True), done.stderr


@pytest.mark.req("R-6.1.3-backup-encrypted")
def test_a_wrong_key_opens_nothing(site: BackedUp, tmp_path: Path) -> None:
    """Status 1 and nothing is changed; with the right one it goes."""
    daily = site.made()
    other = tmp_path / "other"
    other.write_text(key_pair("stranger")[0])
    before = contents(site.root / "data")
    done = site.restore(daily, "--force", key=other)
    assert (done.returncode, contents(site.root / "data")) == (1, before)
    assert "cannot be opened" in done.stderr
    assert site.restore(daily, "--force").returncode == 0


@pytest.mark.req("R-9-restore-refuses")
@pytest.mark.parametrize(
    ("what", "value", "why"),
    [("config", "refused", "Compose refuses"), ("image", "missing", "image postfix:1 is not on this host")],
)
def test_what_could_not_start_is_found_before_anything_changes(
    site: BackedUp, what: str, value: str, why: str
) -> None:
    """Settings that Compose does not take, an image that is not here: nothing was stopped or moved."""
    daily = site.made()
    site.set(what, value)
    before, calls = contents(site.root / "data"), len(site.calls())
    done = site.restore(daily, "--force")
    assert (done.returncode, contents(site.root / "data")) == (1, before)
    assert why in done.stderr
    assert not [call for call in site.calls()[calls:] if call.startswith(("stop", "rm", "ps"))]


@pytest.mark.req("R-9-restore-refuses")
@pytest.mark.parametrize(("what", "why"), [("load", "did not take its data"), ("up", "not all services")])
def test_a_failure_later_on_says_where_everything_is(site: BackedUp, what: str, why: str) -> None:
    """What was here lies aside, whole, and another run completes it."""
    mail = kept(site)
    daily = site.made()
    site.set(what, "refused")
    done = site.restore(daily, "--force")
    assert done.returncode == 1
    assert why in done.stderr
    [former] = site.root.glob("before-restore-*")
    assert str(former) in done.stderr
    assert {name: value for name, value in contents(former / "data/mail").items() if name in mail} == mail
    site.set(what, "")
    site.set("now", str(NOON + 60))
    assert site.restore(daily, "--force").returncode == 0
    assert contents(site.root / "data/mail") == mail


@pytest.mark.req("R-10.1-scripts")
@pytest.mark.parametrize(
    "words",
    [(), ("--identity",), ("none.tar.age",), ("--surely",), ("--check", "--mailbox", ALICE), ("--mailbox",)],
)
def test_a_wrong_call_is_refused(site: BackedUp, words: tuple[str, ...]) -> None:
    """Status 2 and a word; no archive, no key, an unknown word, two things at once, two of a kind."""
    daily = site.made()
    before, calls = contents(site.root / "data"), site.calls()
    archives = () if not words or words[0].endswith("age") else (str(daily),)
    done = site.run("restore.sh", *archives, "--identity", str(site.key), *words)
    assert (done.returncode, site.calls(), contents(site.root / "data")) == (2, calls, before), done
    assert done.stderr.startswith("restore.sh: ")
    assert site.run("restore.sh", str(daily)).returncode == 2
    assert site.restore(daily, daily, "--check").returncode == 2


@pytest.mark.req("R-9.2-bad-days")
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_anywhere_all_mail_is_somewhere(tmp_path: Path, seed: int) -> None:
    """The former mail is in place or aside, every file of it; another run, forced, makes it whole."""
    site = BackedUp(tmp_path)
    daily = site.made()
    archived = kept(site)
    precious = site.maildir(ALICE) / "new/9.M1P1.mailserver"
    precious.write_text("came after the backup")
    kept_aside = tmp_path / "server-before"
    shutil.copytree(site.root, kept_aside, symlinks=True)
    killer, script = Killer(site), site.root / "scripts/restore.sh"
    words = [str(daily), "--identity", str(site.key), "--force"]
    numbers = killer.numbers(script, words, "")
    assert len(numbers) > 50
    shutil.rmtree(site.root)
    shutil.copytree(kept_aside, site.root, symlinks=True)
    Killer(site)
    chance = random.Random(seed)
    point = chance.choice(numbers if seed % 2 else numbers[len(numbers) // 2 : -5])
    assert killer.run(script, words, "", KILL_AT=str(point)) == -9, point
    everywhere = [*site.root.glob("data/mail"), *site.root.glob("before-restore-*/data/mail")]
    assert [path for path in everywhere if precious.name in {found.name for found in path.rglob("*")}]
    assert daily.exists()
    site.set("now", str(NOON + 60))
    assert site.restore(daily, "--force").returncode == 0
    assert contents(site.root / "data/mail") == archived
    assert [path.read_text() for path in site.root.rglob(precious.name)] == ["came after the backup"]
    assert not (site.root / "data/.restore").exists()
