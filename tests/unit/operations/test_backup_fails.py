"""A backup that fails at any stage: a status, no new file, the old ones kept, the next one good (9.2)."""

import random
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.wait import wait_for
from tests.unit.operations.backups import DAY, DOCKER, NOON, BackedUp, opened
from tests.unit.operations.killed import Killer

SEEDS = range(20)
OLD = 9


@pytest.fixture
def site(tmp_path: Path) -> BackedUp:
    """A site with a good backup of each kind, so old that a successful run would remove some."""
    made = BackedUp(tmp_path)
    _age(made)
    made.older(made.made("weekly", at=NOON - OLD * DAY), NOON - (OLD + 7) * DAY)
    made.set("now", str(NOON))
    return made


def _age(site: BackedUp) -> None:
    """Four daily ones, each older than a week."""
    first = site.made(at=NOON - OLD * DAY)
    for day in range(1, 4):
        site.older(first, NOON - (OLD + day) * DAY)


def _state(site: BackedUp) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for disk in site.disks for path in disk.iterdir()}


def _failing(name: str, condition: str = "true", status: int = 1) -> Callable[[BackedUp], None]:
    """A program that does its work and then fails, when the condition holds."""

    def act(site: BackedUp) -> None:
        real = next(path for path in (f"/usr/bin/{name}", f"/bin/{name}") if Path(path).exists())
        site.program(
            name, f'#!/bin/bash\n{real} "$@"; s=$?; if {condition}; then exit {status}; fi; exit $s\n'
        )

    return act


def _full(disk: int) -> Callable[[BackedUp], None]:
    """A disk that takes the first bytes and no more: what tee and cp write to it ends in an error."""

    def act(site: BackedUp) -> None:
        text = (
            '#!/bin/bash\nfor word in "$@"; do last=$word; done\n'
            'case "$last" in {place}/*)\n'
            '    head -c 100 >"$last" </dev/zero; echo "{name}: No space left" >&2; exit 1 ;;\nesac\n'
            'exec /usr/bin/{name} "$@"\n'
        )
        for name in ("tee", "cp"):
            site.program(name, text.replace("{place}", str(site.disks[disk])).replace("{name}", name))

    return act


def _rotten(disk: int) -> Callable[[BackedUp], None]:
    """A disk that gives back something else than was written."""

    def act(site: BackedUp) -> None:
        spoil = f'case "$*" in *{site.disks[disk]}/*.tar.age.partial*) printf x >>"${{!#}}" ;; esac'
        site.program("sync", f'#!/bin/bash\n{spoil}\nexec /bin/sync "$@"\n')

    return act


STAGES: dict[str, Callable[[BackedUp], object]] = {
    "database is down": lambda site: site.set("database", "down"),
    "database's copy is cut": lambda site: site.set("database", "cut"),
    "redis is down": lambda site: site.set("redis", "down"),
    "redis gives nothing": lambda site: site.set("redis", "empty"),
    "no docker": lambda site: site.program("docker", "#!/bin/sh\nexit 127\n"),
    "no mail folder": lambda site: (site.root / "data/mail").rename(site.root / "data/post"),
    "no users": lambda site: site.users.unlink(),
    "local disk missing": lambda site: site.set("mounted", f"{site.disks[1]}\n"),
    "external disk missing": lambda site: site.set("mounted", f"{site.disks[0].parent}\n"),
    "only the root disk is mounted": lambda site: site.set("mounted", "/\n"),
    "no recipient": lambda site: site.configure(BACKUP_RECIPIENT=""),
    "no place": lambda site: site.configure(BACKUP_EXTERNAL=""),
    "one place twice": lambda site: site.configure(BACKUP_EXTERNAL=str(site.disks[0])),
    "age fails": _failing("age"),
    "packing fails": _failing("tar", '[[ "$*" == *--sort=name* ]]', 2),
    "linking fails": _failing("cp", '[[ "$*" == *--parents* ]]'),
    "reading the rest fails": _failing("tar", '[[ "$*" == *--no-recursion* ]]', 2),
    "local disk full": _full(0),
    "external disk full": _full(1),
    "local disk lies": _rotten(0),
    "external disk lies": _rotten(1),
    "renaming fails": _failing("mv", '[[ "$*" == *.tar.age.manifest ]]'),
}


@pytest.mark.req("R-9.2-fails-loudly", "R-9.2-bad-days")
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_fails_leaves_what_was_there(site: BackedUp, stage: str) -> None:
    """Status 1 and a word, no new archive, every old one as it was, though old; then it works again."""
    before = _state(site)
    STAGES[stage](site)
    done = site.backup()
    assert done.returncode == 1, done
    assert done.stderr
    assert not [name for name in set(_state(site)) - set(before) if not name.endswith(".manifest")]
    assert {name: content for name, content in _state(site).items() if name in before} == before
    assert not (site.root / "data/.backup").exists()
    for name in ("age", "tar", "cp", "tee", "sync", "mv"):
        (site.root / "bin" / name).unlink(missing_ok=True)
    if (site.root / "data/post").exists():
        (site.root / "data/post").rename(site.root / "data/mail")
    site.users.touch()
    for what in ("database", "redis"):
        site.set(what, "")
    site.set("mounted", f"{site.disks[0].parent}\n{site.disks[1]}\n")
    site.configure()
    (site.root / "bin/docker").write_text(DOCKER)
    assert b"messages 24" in opened(site.made())["MANIFEST"]
    assert [path for path in site.disks[1].iterdir() if "partial" in path.name] == []


@pytest.mark.req("R-9.2-fails-loudly")
def test_a_weekly_one_without_a_certificate_fails(site: BackedUp) -> None:
    """A copy without the key would be found wanting when it is needed."""
    (site.root / "data/certs/mailserver.key").unlink()
    before = _state(site)
    done = site.backup("weekly")
    assert (done.returncode, _state(site)) == (1, before)
    assert "certificate's key" in done.stderr


@pytest.mark.req("R-9.2-verified")
def test_what_is_packed_is_compared_with_what_was_to_be(site: BackedUp) -> None:
    """A packer that gives one file a wrong name and says nothing is noticed before it counts (F81)."""
    before = _state(site)
    rename = 'set -- "$@" --transform "s/redis.rdb/other/"'
    text = f'#!/bin/bash\ncase "$*" in *--sort=name*) {rename} ;; esac\nexec /bin/tar "$@"\n'
    site.program("tar", text)
    done = site.backup()
    assert (done.returncode, _state(site)) == (1, before)
    assert "what was packed is not" in done.stderr


@pytest.mark.req("R-9.2-locks")
def test_two_never_overlap(site: BackedUp) -> None:
    """While one runs, another of either kind, and a restore, are told so and change nothing."""
    hold = site.root / "held"
    text = (site.root / "bin/docker").read_text()
    wait = f'! mkdir "{hold}" 2>/dev/null || while [ -e "{hold}" ]; do read -rt 0.05 <> <(:) || true; done'
    site.program("docker", text.replace('*" mariadb-dump "*)\n', f'*" mariadb-dump "*)\n    {wait}\n'))
    environment = {"PATH": f"{site.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LOG": str(site.log)}
    argv = ["bash", str(site.root / "scripts/backup.sh"), "daily"]
    before = _state(site)
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as first:
        try:
            wait_for("the first one to be under way", hold.exists, timeout=timedelta(seconds=30))
            for done in (
                site.backup(), site.backup("weekly"), site.restore(site.archives()[0], "--check")
            ):  # fmt: skip
                assert done.returncode == 1
                assert "another backup or restore is running" in done.stderr
        finally:
            hold.rmdir()
        assert first.wait(60) == 0
    assert len(set(_state(site)) - set(before)) == 4


@pytest.mark.req("R-9.2-bad-days")
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_anywhere_nothing_good_is_lost(tmp_path: Path, seed: int) -> None:
    """As by a power cut: old archives are whole, a new one is whole or not there; the next run is good."""
    site = BackedUp(tmp_path)
    _age(site)
    killer, script = Killer(site), site.root / "scripts/backup.sh"
    before = _state(site)
    site.set("now", str(NOON))
    numbers = killer.numbers(script, ["daily"], "")
    assert len(numbers) > 50
    for name in set(_state(site)) - set(before):
        Path(name).unlink()
    for name, content in before.items():
        Path(name).write_bytes(content)
    chance = random.Random(seed)
    # Half of them in the last third, where files get their names.
    point = chance.choice(numbers if seed % 2 else numbers[len(numbers) * 2 // 3 : -5])
    status = killer.run(script, ["daily"], "", KILL_AT=str(point))
    assert status == -9, point
    left = _state(site)
    gone = {name for name in before if left.get(name) != before[name]}
    # Only what a whole run would have removed, and only where the new one is whole.
    assert not gone or len([path for path in site.archives(0) if "20261129" in path.name]) == 1
    assert {Path(name).name.partition(".")[0] for name in gone} <= {
        f"mailserver-daily-202611{day}T120000Z" for day in (17, 18)
    }
    for disk in (0, 1):
        for archive in site.archives(disk):
            assert archive.with_name(f"{archive.name}.manifest").exists()
            assert b"messages 24\n" in opened(archive)["MANIFEST"]
    site.made(at=NOON + 60)
    assert [path for disk in site.disks for path in disk.iterdir() if "partial" in path.name] == []
    assert not (site.root / "data/.backup").exists()
