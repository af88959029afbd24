"""The two streams of ./mailproof test: each environment once, every line shown, the status of what failed."""

import configparser
import os
import sys
from pathlib import Path

import pytest

from fixtures import streams
from fixtures.world.images import ROOT

pytestmark = pytest.mark.req("R-0-test-streams")

_TOX = """#!{python}
import os, sys
names = sys.argv[sys.argv.index("-e") + 1]
print(names, "priority", os.nice(0), flush=True)
print("without a line's end", end="", file=sys.stderr)
sys.exit({failing} if "{fails}" in names.split(",") else 0)
"""


def stand_in(folder: Path, fails: str = "none", failing: int = 0) -> Path:
    """A tox that tells what it was called with and ends as told."""
    path = folder / "tox"
    path.write_text(_TOX.format(python=sys.executable, fails=fails, failing=failing))
    path.chmod(0o755)
    return path


def test_every_environment_runs_once() -> None:
    """The streams together are tox's own list."""
    listed = configparser.ConfigParser(interpolation=None)
    listed.read(ROOT / "tox.ini")
    named = [name.strip() for name in listed["tox"]["env_list"].split(",")]
    assert len(named) == 7
    assert sorted(name for stream in streams.STREAMS.values() for name in stream) == sorted(named)


def test_lines_come_with_their_streams_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What only computes has a lower priority; a last line without an end is shown, too."""
    assert streams.run(stand_in(tmp_path), tmp_path / "work", tmp_path) == 0
    shown = capfd.readouterr().out
    assert f"engine| integration,e2e,meta priority {os.nice(0)}\n" in shown
    assert f"checks| lint,types,unit,mutants priority {min(19, os.nice(0) + 10)}\n" in shown
    assert shown.count("without a line's end") == 2


@pytest.mark.parametrize("fails", ["e2e", "unit"])
def test_either_streams_failure_is_the_status(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], fails: str
) -> None:
    """The other one runs to its end nevertheless."""
    assert streams.run(stand_in(tmp_path, fails, 7), tmp_path / "work", tmp_path) == 7
    shown = capfd.readouterr().out
    assert ("engine| integration" in shown, "checks| lint" in shown) == (True, True)
