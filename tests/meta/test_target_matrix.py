"""docs/targets-matrix.md is what the specs' marks say now."""

import subprocess
import sys

import pytest

from fixtures.world.images import ROOT


@pytest.mark.req("R-0-target-matrix")
def test_the_document_is_current() -> None:
    """Made anew it is the same, and it has something to say of each kind of target."""
    argv = [sys.executable, "-m", "fixtures.targets.matrix"]
    made = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    document = (ROOT / "docs/targets-matrix.md").read_text(encoding="utf-8")
    assert "| R-6.2-served-verifies | whole | whole | internet; tailnet |" in document
    assert document == made.stdout, f"run: {' '.join(argv[1:])} >docs/targets-matrix.md"
