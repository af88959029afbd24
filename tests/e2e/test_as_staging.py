"""The simulated world to a process that knows only a target file: no container, no file of the world's."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT

TARGET_FILE = ROOT / "targets/world.toml"
LOOKED_AT = 15
"""At least so many specs ask for a target and need neither the host's ssh nor leave to load it."""


@pytest.fixture
def target_file(world: Sim) -> Iterator[Path]:
    """The world described as of staging, for as long as the spec runs."""
    subprocess.run([sys.executable, "-m", "fixtures.world.as_target"], cwd=ROOT, check=True)
    yield TARGET_FILE
    TARGET_FILE.unlink()


def look(results: Path) -> subprocess.CompletedProcess[str]:
    """Run the end-to-end specs on that target, without an engine to ask."""
    environment = os.environ | {"DOCKER_HOST": f"unix://{results}/none", "MAILPROOF_RESULTS": str(results)}
    argv = [sys.executable, "-m", "pytest", "tests/e2e", "-q", "-p", "no:cacheprovider", "-m", "not load"]
    return subprocess.run(
        [*argv, "--target", "world"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


@pytest.mark.req("R-0-known-by-its-file-alone")
def test_specs_pass_on_a_target_that_is_known_by_its_file_alone(target_file: Path, tmp_path: Path) -> None:
    """By proxies and test accounts; what needs a look inside is counted as not run, with its reason."""
    done = look(tmp_path)
    assert done.returncode == 0, done.stdout
    verdict = json.loads((tmp_path / "targets/world/verdict.json").read_text())
    specs = json.loads((tmp_path / "targets/world/specs-e2e.json").read_text())["specs"]
    assert verdict["verdict"] == "PASS"
    assert sum(spec["outcome"] == "passed" for spec in specs) >= LOOKED_AT
    assert {reason.partition(":")[0] for reason in verdict["not_run"]} <= {"CapabilityAbsent", "NotAllowed"}


@pytest.mark.req("R-0-known-by-its-file-alone")
def test_a_target_whose_proxies_are_down_is_not_passed(target_file: Path, tmp_path: Path) -> None:
    """Nobody listens on port 9: the same specs could not tell."""
    text = target_file.read_text()
    down = "\n".join('socks5 = "127.0.0.1:9"' if "socks5" in line else line for line in text.splitlines())
    assert down.count(':9"') == text.count("socks5")
    target_file.write_text(down + "\n")
    done = look(tmp_path)
    assert done.returncode == 3, done.stdout
    assert "COULD NOT TELL" in done.stdout
    assert "VantageDown" in done.stdout
