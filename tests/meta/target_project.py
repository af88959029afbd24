"""A small checkout whose specs look at a deployed system: its own copy of the harness, its own target files.

Where target files are follows from where the harness is, so that no flag can name others.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.world.images import ROOT
from tests.meta.proof_project import Ended, row

CONFTEST = """
from fixtures.proof import floors
pytest_plugins = ["fixtures.targets.plugin", "fixtures.proof.plugin"]
floors.TARGET_FLOORS = {floors}
"""
HEAD = """
import pytest
from pathlib import Path
from fixtures.proof.skip import CannotTellError, PermissionMissing, VantageDown
pytestmark = pytest.mark.req("R-1-door")
"""
TARGET = """
kind = "staging"
site = "../site.toml"
capabilities = ["tailnet"]
[vantages.tailnet-pc]
socks5 = "127.0.0.1:9"
"""


@dataclass(frozen=True)
class TargetProject:
    """The checkout's folder."""

    root: Path

    @classmethod
    def create(
        cls, root: Path, code: str, targets: Mapping[str, str], floors: Mapping[str, int] | None = None
    ) -> "TargetProject":
        """Write one spec file of the e2e layer, and target files (name to what follows the common part)."""
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "fixtures", root / "fixtures", ignore=ignored)
        shutil.copy(ROOT / "site.toml", root)
        everything = {
            "docs/requirements.toml": row("door", "The door is shut.", "e2e"),
            "conftest.py": CONFTEST.format(floors=dict(floors or {"tailnet": 1})),
            "pytest.ini": "[pytest]\ntestpaths = tests\naddopts = --strict-markers\n",
            "tests/e2e/test_house.py": HEAD + code,
        } | {f"targets/{name}.toml": text + TARGET for name, text in targets.items()}
        for name, text in everything.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return cls(root)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
        """Run pytest with no plugin but the project's own."""
        clean = {name: value for name, value in os.environ.items() if name != "MAILPROOF_RESULTS"}
        clean |= {"PYTHONPATH": str(self.root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments], cwd=self.root, env=clean | dict(environment or {}),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout + done.stderr)

    def traces(self) -> Sequence[str]:
        """The files that specs and their fixtures have left in the folder, by name."""
        return sorted(path.name for path in self.root.glob("*.trace"))
