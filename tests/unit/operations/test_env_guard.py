""".env is looked at before any script runs what stands in it: owner and mode (design 6.1.2)."""

import os
import stat
from pathlib import Path

import pytest

from fixtures.proof.skip import CapabilityAbsent
from tests.unit.compose.owner import PASSWORD, Site

ALICE = "alice@one.example.org"
pytestmark = pytest.mark.req("R-6.1.2-env-guarded")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A deployed folder."""
    return Site(tmp_path)


def _mode(site: Site) -> int:
    return stat.S_IMODE((site.root / ".env").stat().st_mode)


def _ran(site: Site) -> Path:
    """What a line in .env leaves when it is run."""
    path = site.root / "ran"
    with (site.root / ".env").open("a") as file:
        file.write(f": >'{path}'\n")
    return path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_readers_are_shut_out_and_it_is_said(site: Site, mode: int) -> None:
    """The script does its work, the file is private from then on, and the owner hears what that may mean."""
    (site.root / ".env").chmod(mode)
    done = site.run("add-user.sh", ALICE, said=f"{PASSWORD}\n")
    assert (done.returncode, _mode(site)) == (0, 0o600)
    assert f"(mode {mode:o})" in done.stderr
    assert "change them with set-secret.sh" in done.stderr
    again = site.run("add-user.sh", ALICE, "--replace", said=f"{PASSWORD}\n")
    assert "mode" not in again.stderr


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_run(site: Site, mode: int) -> None:
    """Its lines would be commands of root's: none is run, nothing changed, the next step is named."""
    ran = _ran(site)
    (site.root / ".env").chmod(mode)
    done = site.run("add-user.sh", ALICE, said=f"{PASSWORD}\n")
    assert (done.returncode, ran.exists(), site.users.exists(), _mode(site)) == (1, False, False, mode)
    assert "next step: look through it" in done.stderr
    (site.root / ".env").chmod(0o600)
    assert site.run("add-user.sh", ALICE, said=f"{PASSWORD}\n").returncode == 0
    assert ran.exists()  # the control: a line of it is run


@pytest.mark.skipif(os.getuid() != 0, reason=CapabilityAbsent("only root gives files away"))
def test_a_file_of_somebody_elses_is_not_run(site: Site) -> None:
    """He could write into it whenever he likes."""
    ran = _ran(site)
    os.chown(site.root / ".env", 65534, -1)
    done = site.run("check-users.sh")
    assert (done.returncode, ran.exists()) == (1, False)
    assert "belongs to user 65534" in done.stderr


def test_a_folder_without_one_says_so(site: Site) -> None:
    """Not the shell's words about a missing file; help needs none."""
    (site.root / ".env").unlink()
    done = site.run("check-users.sh")
    assert (done.returncode, "next step: deploy" in done.stderr) == (1, True)
    assert site.run("check-users.sh", "--help").returncode == 0
