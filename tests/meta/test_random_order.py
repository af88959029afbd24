"""Specs run in random order, so that none leans on another; the seed repeats an order."""

import subprocess
import sys

import pytest

from fixtures.world.images import ROOT

pytestmark = pytest.mark.req("R-0-random-order")


def _collected(seed: int) -> tuple[list[str], str]:
    """The specs of one file in the order of a seed, and everything that pytest said."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", f"--randomly-seed={seed}"]
    done = subprocess.run(
        [*argv, "tests/unit/test_wait.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if "::" in line], done.stdout


def test_a_seed_gives_an_order_and_another_seed_another() -> None:
    """Twice the same with one seed; with three seeds not the same three times."""
    first, _ = _collected(1)
    assert len(first) > 5
    assert _collected(1)[0] == first
    others = [_collected(seed)[0] for seed in (2, 3)]
    assert any(other != first for other in others)
    assert all(sorted(other) == sorted(first) for other in others)


def test_this_run_is_shuffled_and_names_its_seed(request: pytest.FixtureRequest) -> None:
    """What `./mailproof test` starts has shuffling on, and a header that says how to repeat it."""
    config = request.config
    assert config.pluginmanager.hasplugin("randomly")
    assert config.getoption("randomly_reorganize") is True
    headers = config.hook.pytest_report_header(config=config, start_path=ROOT)
    seed = config.getoption("randomly_seed")
    assert any(f"--randomly-seed={seed}" in str(header) for header in headers)
