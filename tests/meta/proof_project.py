"""A small checkout with specs of its own, in which pytest runs with the proof as its plugin."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.world.images import ROOT

CONFTEST = """
from fixtures.proof import floors
pytest_plugins = ["fixtures.proof.plugin"]
floors.FLOORS = {floors}
"""
HEAD = """
import pytest
from fixtures.proof.skip import CapabilityAbsent, skip
req = pytest.mark.req
"""
DOOR = "The door is shut."
WINDOW = "The window is shut."
HATCH = "The hatch is shut."


def row(slug: str, text: str, *layers: str, open_: str = "") -> str:
    """One row of section 1."""
    reason = f'open = "{open_}"\n' if open_ else ""
    return (
        f'[[requirement]]\nid = "R-1-{slug}"\nsection = "1"\ntext = "{text}"\n'
        f'layers = {json.dumps(layers or ("unit",))}\nseverity = "loss"\n{reason}'
    )


@dataclass(frozen=True)
class Ended:
    """How a run ended and what it said."""

    status: int
    output: str


@dataclass(frozen=True)
class Project:
    """The checkout's folder."""

    root: Path

    @classmethod
    def create(cls, root: Path, rows: str, files: Mapping[str, str], floors: Mapping[str, int]) -> "Project":
        """Write a catalogue and spec files (name below tests/ to code)."""
        everything = {
            "docs/requirements.toml": rows,
            "conftest.py": CONFTEST.format(floors=dict(floors)),
            "pytest.ini": "[pytest]\ntestpaths = tests\naddopts = --strict-markers\nxfail_strict = true\n",
        } | {f"tests/{name}": HEAD + code for name, code in files.items()}
        for name, text in everything.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return cls(root)

    def run(self, *arguments: str, plugins: tuple[str, ...] = ()) -> Ended:
        """Run pytest with no plugin but the proof and those named; of the environment, no results folder."""
        environment = {name: value for name, value in os.environ.items() if name != "MAILPROOF_RESULTS"}
        environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
        more = [part for plugin in plugins for part in ("-p", plugin)]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *more, *arguments], cwd=self.root, env=environment,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout + done.stderr)

    def results(self, layer: str = "unit") -> Any:
        """What the run recorded about a layer."""
        return json.loads((self.root / f".mailproof/results/specs-{layer}.json").read_text(encoding="utf-8"))

    def folder(self) -> Path:
        """The only failed spec's folder."""
        (found,) = (self.root / ".mailproof" / "failures").iterdir()
        return found
