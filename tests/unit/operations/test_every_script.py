"""What every script of the deployed folders promises: help, dry run, checked input, repeatable, safe to kill.

One table for all; a script that is new is in it, or says where its own specs are.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.world.images import ROOT
from tests.unit.compose.owner import ENV, PASSWORD, Site
from tests.unit.operations.killed import Killer

SCRIPTS = sorted(
    path
    for folder in ("compose", "compose/scripts", "infra/scripts")
    for path in (ROOT / folder).glob("*.sh")
)
INTERNAL = frozenset({"alert.sh", "unit-failed.sh"})
"""Run by units and by other scripts alone, never by a person: no help, and nothing to try out."""
LOOKS_ONLY = frozenset({"check-users.sh", "health-monitor.sh"})
"""Change nothing that a dry run could spare."""
ELSEWHERE = frozenset({"backup.sh", "restore.sh", "health-monitor.sh", "deploy.sh", "check-users.sh"})
"""Have dry run, repetition and interruption in specs of their own, or change nothing."""
USERS_OWN = [path for path in SCRIPTS if path.name not in INTERNAL]
KEY = "SG.new-id.new_secret"
SECRET = "0123456789abcdef" * 3
ALICE = "alice@one.example.org"
every = pytest.mark.parametrize("script", USERS_OWN, ids=[path.name for path in USERS_OWN])


@dataclass(frozen=True)
class Case:
    """A call that changes something: its words, its standard input, what has to be there, what it changes."""

    script: str
    arguments: tuple[str, ...]
    said: str = ""
    prepare: Callable[[Site], object] = lambda site: None
    changes: tuple[str, ...] = ()
    again: int = 0


def _user(site: Site) -> None:
    assert site.add(ALICE) == 0


def _secret(site: Site) -> None:
    Path(f"{site.log}.secret").write_text(f"{KEY}\n")


CASES = (
    Case("add-user.sh", (ALICE,), f"{PASSWORD}\n", changes=("config/dovecot/users",), again=3),
    Case("remove-user.sh", (ALICE,), prepare=_user, changes=("config/dovecot/users",), again=3),
    Case("add-domain.sh", ("three.example.org",), changes=(".env",), again=3),
    Case("remove-domain.sh", ("two.example.org",), changes=(".env",), again=3),
    Case("set-secret.sh", ("MYSQL_PASSWORD",), f"{SECRET}\n", changes=(".env",)),
    Case("set-secret.sh", ("SENDGRID_API_KEY",), f"{KEY}\n", changes=(".env",)),
    Case("set-secret.sh", ("SENDGRID_STATS_KEY",), f"{KEY}\n", changes=(".env",)),
    Case("fetch-sendgrid-key.sh", (), prepare=_secret, changes=("config/postfix/sasl_passwd",)),
    Case("renew-certificate.sh", (), changes=("data/certs/mailserver.crt", "data/certs/mailserver.key")),
)
NAMES = [f"{case.script}-{'-'.join(case.arguments)}" for case in CASES]
each = pytest.mark.parametrize("case", CASES, ids=NAMES)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A deployed folder, with the scripts that lie elsewhere beside its own."""
    made = Site(tmp_path)
    for path in SCRIPTS:
        if not (made.root / "scripts" / path.name).exists():
            shutil.copy(path, made.root / "scripts" / path.name)
    made.users.write_text("")
    made.users.chmod(0o640)
    return made


def _state(site: Site) -> dict[str, tuple[str, int]]:
    """Text and mode of every file that belongs to the site, not to this spec."""
    ours = ("scripts", "bin", "log", "trap", "count")
    return {
        name: (path.read_text(), stat.S_IMODE(path.stat().st_mode))
        for path in sorted(site.root.rglob("*"))
        if path.is_file() and not (name := str(path.relative_to(site.root))).startswith(ours)
        and not name.endswith(".lock")
    }  # fmt: skip


@pytest.mark.req("R-10.1-scripts")
def test_the_table_knows_every_script() -> None:
    """A new script gets a case here, or specs of its own."""
    names = {path.name for path in SCRIPTS}
    assert len(names) >= 11
    known = {case.script for case in CASES} | INTERNAL | ELSEWHERE | {"rotate-tailscale-key.sh"}
    assert names <= known


@pytest.mark.req("R-10.1-scripts")
@pytest.mark.parametrize("script", SCRIPTS, ids=[path.name for path in SCRIPTS])
def test_it_can_be_run_and_stops_at_the_first_failure(script: Path) -> None:
    """Executable, bash by name, and neither a failed command nor an unset variable is passed over."""
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    assert os.access(script, os.X_OK)
    first = next(line for line in lines if line and not line.startswith("#"))
    assert first == "set -euo pipefail"


@every
@pytest.mark.req("R-10.1-scripts")
def test_it_has_help(site: Site, script: Path) -> None:
    """How it is called, its dry run and its exit status; nothing is asked or changed for it."""
    before = _state(site)
    done = site.run(script.name, "--help")
    assert (done.returncode, done.stderr, site.calls(), _state(site)) == (0, "", [], before)
    assert f"usage: {script.name}" in done.stdout
    assert "Exit status: 0" in done.stdout
    assert ("--dry-run" in done.stdout) == (script.name not in LOOKS_ONLY)


@every
@pytest.mark.req("R-10.1-scripts")
def test_a_wrong_call_is_refused(site: Site, script: Path) -> None:
    """Status 2, a word about it, and nothing changed or asked; what was meant is not repeated."""
    before = _state(site)
    done = site.run(script.name, "--surely", KEY, PASSWORD, said=f"{PASSWORD}\n")
    assert (done.returncode, site.calls(), _state(site)) == (2, [], before)
    assert done.stderr.startswith(f"{script.name}: ")
    assert PASSWORD not in done.stderr + done.stdout


@each
@pytest.mark.req("R-10.1-scripts")
def test_a_dry_run_changes_nothing(site: Site, case: Case) -> None:
    """It says what would be done; no file is touched, and no service is told. The real run then does it."""
    case.prepare(site)
    before, calls = _state(site), len(site.calls())
    done = site.run(case.script, *case.arguments, "--dry-run", said=case.said)
    if done.returncode == 2:  # takes the word in front alone
        done = site.run(case.script, "--dry-run", *case.arguments, said=case.said)
    assert (done.returncode, _state(site)) == (0, before), done
    assert done.stdout.startswith("dry run: would ")
    assert done.stdout.rstrip().endswith("nothing was changed")
    asked = [call for call in site.calls()[calls:] if "get-secret-value" not in call and " try" not in call]
    assert asked == []
    real = site.run(case.script, *case.arguments, said=case.said)
    assert real.returncode == 0, real.stderr
    after = _state(site)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} >= set(case.changes)


@each
@pytest.mark.req("R-10.1-scripts")
def test_again_it_changes_nothing_more(site: Site, case: Case) -> None:
    """The second run leaves every file as the first one did, and says so by its status where that counts."""
    case.prepare(site)
    assert site.run(case.script, *case.arguments, said=case.said).returncode == 0
    state = _state(site)
    assert site.run(case.script, *case.arguments, said=case.said).returncode == case.again
    assert _state(site) == state


@each
@pytest.mark.req("R-10.1-scripts")
def test_killed_anywhere_it_leaves_old_or_new(tmp_path: Path, case: Case) -> None:
    """Every file it changes is as before or as after a whole run, with its mode; another run completes it."""
    script = Path("scripts") / case.script

    def fresh(name: str) -> Site:
        (tmp_path / name).mkdir()
        made = Site(tmp_path / name)
        made.users.write_text("")
        made.users.chmod(0o640)
        case.prepare(made)
        return made

    whole = fresh("whole")
    old = _state(whole)
    commands = Killer(whole).numbers(whole.root / script, list(case.arguments), case.said)
    new = _state(whole)
    assert len(commands) > 10
    seen = set()
    # Every third command, and the last ones, where the changes are.
    for point in sorted({*commands[::3], *commands[-12:]}):
        site = fresh(f"killed-at-{point}")
        status = Killer(site).run(site.root / script, list(case.arguments), case.said, KILL_AT=str(point))
        if status == 0 and point >= commands[-1] - 1:
            continue  # a file of an earlier second needs one command less
        assert status == -9, point
        left = _state(site)
        for name in case.changes:
            assert left.get(name) in (old.get(name), new.get(name)), (point, name)
        seen.add(tuple(left.get(name) == new.get(name) for name in case.changes))
        private = {name: mode for name, (_, mode) in left.items() if ".new." in name}
        assert set(private.values()) <= {0o600, new[case.changes[0]][1]}, (point, private)
        assert site.run(case.script, *case.arguments, said=case.said).returncode in (0, case.again), point
        assert {name: value for name, value in _state(site).items() if name in new} == new, point
    assert len(seen) >= 2  # both were met: cut off before the change, and after it


@pytest.mark.req("R-10.1-scripts")
def test_what_a_killed_run_has_left_is_cleared_away(site: Site) -> None:
    """A half-written file beside may hold a secret; an owner's own copy of .env is none of it."""
    for name in (".env.new.Ab1Xyz", ".env.backup"):
        (site.root / name).write_text(ENV)
    assert site.run("set-secret.sh", "MYSQL_PASSWORD", said=f"{SECRET}\n").returncode == 0
    assert [path.name for path in sorted(site.root.glob(".env*"))] == [".env", ".env.backup"]


@pytest.mark.req("R-10.1-scripts")
def test_scripts_of_the_host_pass_shellcheck() -> None:
    """Those and what they read in, at its strictest."""
    shellcheck = ROOT / ".mailproof/venv/bin/shellcheck"
    parts = sorted((ROOT / "compose/scripts").glob("*.bash"))
    assert len(parts) >= 4
    files = [*map(str, SCRIPTS), *map(str, parts)]
    done = subprocess.run(
        [str(shellcheck), "--severity=style", "--exclude=SC2153", *files], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
