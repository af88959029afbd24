"""However a run ends, it leaves no container, network, volume or process behind.

What is there is asked of the engine and the kernel by name of nothing: everything that was not there
before counts, whether or not it carries the project's label.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.wait import wait_for
from fixtures.world.images import ROOT

Things = Mapping[str, frozenset[str]]


def _docker(*arguments: str) -> frozenset[str]:
    output = subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout
    return frozenset(output.split())


def _processes() -> frozenset[str]:
    """Ids of processes that run from this checkout or from one below a test's folder."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"fixtures.cli" in command or b"fixtures.aws.fargate" in command:
            found.add(entry.name)
    return frozenset(found)


def _there() -> Things:
    return {
        "containers": _docker("ps", "--all", "--quiet", "--no-trunc"),
        "networks": _docker("network", "ls", "--quiet", "--no-trunc"),
        "volumes": _docker("volume", "ls", "--quiet"),
        "processes": _processes(),
    }


def _added(before: Things) -> dict[str, frozenset[str]]:
    """What is there now and was not before, by kind; kinds with nothing new are left out."""
    now = _there()
    return {kind: now[kind] - before[kind] for kind in now if now[kind] - before[kind]}


class Run:
    """One run of the launcher in a process group of its own, as a terminal makes it."""

    def __init__(self, log: Path, *arguments: str, root: Path = ROOT) -> None:
        self._log = log
        environment = os.environ | {"MAILPROOF_RESULTS": str(log.parent / "results")}  # nobody's proof
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["./mailproof", *arguments], cwd=root, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, env=environment,
            )  # fmt: skip

    @property
    def output(self) -> str:
        """Everything it wrote so far."""
        return self._log.read_text(errors="replace")

    def reaches(self, words: str) -> None:
        """Return once it has written ``words``; fails when it ends before."""
        wait_for(
            f"{words!r} in the launcher's output",
            lambda: self.output,
            until=lambda output: words in output,
            dead=lambda output: f"it ended first:\n{output}" if self._process.poll() is not None else None,
            timeout=timedelta(seconds=180),
        )

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, as the terminal does."""
        os.killpg(self._process.pid, number)

    def ends(self, seconds: int = 90) -> int:
        """Wait for its exit status."""
        return self._process.wait(timeout=seconds)


@pytest.fixture(autouse=True)
def world_ends_here() -> Iterator[None]:
    """No world is up before, and none stays after a failing test."""
    subprocess.run(["./mailproof", "down"], cwd=ROOT, check=True, capture_output=True)
    yield
    subprocess.run(["./mailproof", "down"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.req("R-0-leftovers", "R-0-interrupt-is-no-verdict")
@pytest.mark.parametrize(
    ("moment", "signal_number"),
    [
        ("networks: done", signal.SIGINT),
        ("outer containers: done", signal.SIGTERM),
        ("specs …", signal.SIGINT),
    ],
)
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, moment: str, signal_number: int) -> None:
    """At each moment something stands; after the signal nothing does, and the status is not a verdict."""
    before = _there()
    run = Run(tmp_path / "log", "verify")
    run.reaches(moment)
    assert {"networks", "processes"} <= _added(before).keys()
    run.signal(signal_number)
    assert run.ends() == 130, run.output
    assert _added(before) == {}, run.output
    assert "VERIFIED" not in run.output


@pytest.mark.req("R-0-leftovers")
def test_what_a_killed_run_leaves_is_taken_down(tmp_path: Path) -> None:
    """After SIGKILL things stand, as nobody could clean up; `down` removes them."""
    before = _there()
    run = Run(tmp_path / "log", "up")
    run.reaches("outer containers: done")
    run.signal(signal.SIGKILL)
    assert run.ends() == -signal.SIGKILL
    assert {"containers", "networks"} <= _added(before).keys()
    subprocess.run(["./mailproof", "down"], cwd=ROOT, check=True, capture_output=True)
    assert _added(before) == {}


@pytest.mark.req("R-0-leftovers")
def test_a_run_that_ends_leaves_nothing(tmp_path: Path) -> None:
    """The world stands while the specs run and is gone afterwards; one spec alone is no verdict."""
    before = _there()
    run = Run(tmp_path / "log", "verify", "-k", "test_the_task_has_fargates_capabilities_only")
    run.reaches("specs …")
    assert {"containers", "networks", "processes"} <= _added(before).keys()
    assert run.ends(180) == 3, run.output
    assert "0 failed" in run.output
    assert _added(before) == {}, run.output


@pytest.mark.req("R-0-leftovers")
def test_a_failed_start_leaves_nothing(tmp_path: Path, checkout: Path) -> None:
    """A world of which one part does not come up is taken down whole, and the part's own words are shown."""
    broken = checkout / "infra" / "terraform" / "vpc.tf"
    broken.write_text(broken.read_text() + '\nresource "aws_no_such_thing" "here" {}\n')
    before = _there()
    run = Run(tmp_path / "log", "verify", root=checkout)
    run.reaches("outer containers: done")
    assert {"containers", "networks"} <= _added(before).keys()
    assert run.ends(180) == 2, run.output
    assert _added(before) == {}, run.output
    for word in ("aws_no_such_thing", "next step:"):
        assert word in run.output


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout that may be broken."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".mailproof", ".git", ".*_cache"))
    (copy / ".mailproof").mkdir()
    (copy / ".mailproof" / "venv").symlink_to(ROOT / ".mailproof" / "venv")
    return copy


@pytest.mark.req("R-0-site-file-errors")
def test_a_bad_site_file_starts_nothing(tmp_path: Path, checkout: Path) -> None:
    """The message names file, key, value and what is allowed; the status is 2; the engine is untouched."""
    site = checkout / "site.toml"
    good = site.read_text()
    site.write_text(good.replace('region = "ap-northeast-1"', 'region = "the moon"'))
    assert site.read_text() != good
    before = _there()
    run = Run(tmp_path / "log", "verify", root=checkout)
    assert run.ends() == 2
    assert _added(before) == {}
    for word in ("site.toml", "aws.region", "the moon", "next step:"):
        assert word in run.output
