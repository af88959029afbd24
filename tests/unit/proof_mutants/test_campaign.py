"""The whole way with a small checkout: killed, survived and invalid mutants are told apart, and undone."""

import sys
from pathlib import Path

import pytest

from fixtures.proof.mutants.campaign import Campaign
from fixtures.proof.mutants.entry import Mutant
from fixtures.proof.mutants.specs import run_specs

pytestmark = pytest.mark.req("R-0-mutants")

SPECS = """
import pathlib
import pytest

TEXT = (pathlib.Path(__file__).parents[1] / "setting").read_text()

@pytest.fixture
def started():
    assert "off" not in TEXT
    yield
    assert "unclean" not in TEXT

def test_sees(): assert "safe" in TEXT
def test_blind(): assert TEXT
def test_started(started): assert "safe" in TEXT
@pytest.mark.parametrize("word", ["safe", "="])
def test_words(word): assert word in TEXT
@pytest.mark.skip(reason="elsewhere")
def test_skipped(): raise AssertionError
"""
SPEC = "tests/test_small.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one setting and its specs, and this environment's programs."""
    root = tmp_path / "checkout"
    (root / "tests").mkdir(parents=True)
    (root / "setting").write_text("value = safe\n")
    (root / SPEC).write_text(SPECS)
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n')
    (root / ".mailproof").mkdir()
    (root / ".mailproof/venv").symlink_to(Path(sys.executable).parents[1])
    return root


def mutant(name: str, *specs: str, becomes: str = "wide", starts: bool = True) -> Mutant:
    """The setting gets another value."""
    return Mutant(
        name=name, breaks="harness", why="because of this", file="setting", find="safe", replace=becomes,
        specs=tuple(f"{SPEC}::{spec}" for spec in specs), starts=starts,
    )  # fmt: skip


def test_each_mutant_gets_what_it_deserves(checkout: Path, tmp_path: Path) -> None:
    """Two at a time, in copies; the checkout itself is never changed, and unchanged all is green."""
    mutants = [
        mutant("killed", "test_sees", "test_words"),
        mutant("survived", "test_sees", "test_blind"),
        mutant("skipped", "test_skipped"),
        mutant("no-such-spec", "test_nothing"),
        mutant("does-not-start", "test_started", becomes="off"),
        mutant("may-not-start", "test_started", becomes="off", starts=False),
        mutant("nothing-to-change", "test_sees").model_copy(update={"find": "gone"}),
    ]
    campaign = Campaign(checkout, tmp_path / "tried", lambda _line: None)
    results = campaign.in_copies(mutants, jobs=2)
    assert {result.name: result.outcome for result in results} == {
        "killed": "killed", "survived": "survived", "skipped": "invalid", "no-such-spec": "invalid",
        "does-not-start": "invalid", "may-not-start": "killed", "nothing-to-change": "invalid",
    }  # fmt: skip
    assert campaign.green(mutants[:2]) == []
    assert (checkout / "setting").read_text() == "value = safe\n"
    for copy in (tmp_path / "tried").glob("copy-*"):
        assert (copy / "setting").read_text() == "value = safe\n"


def test_a_spec_that_is_red_anyway_kills_nobody(checkout: Path, tmp_path: Path) -> None:
    """The run on the unchanged copy names it."""
    (checkout / "setting").write_text("value = wrong\n")
    campaign = Campaign(checkout, tmp_path / "tried", lambda _line: None)
    assert campaign.green([mutant("any", "test_sees")]) == [f"{SPEC}::test_sees"]


def test_specs_that_take_too_long_are_ended_and_missing(checkout: Path, tmp_path: Path) -> None:
    """They clean up after themselves first, as after Ctrl-C."""
    note = tmp_path / "note"
    (checkout / SPEC).write_text(
        f"""
import pathlib, pytest, threading

@pytest.fixture
def clean():
    yield
    pathlib.Path({str(note)!r}).write_text("cleaned up")

def test_hangs(clean): threading.Event().wait(60)
"""
    )
    outcome = run_specs(checkout, [f"{SPEC}::test_hangs"], tmp_path / "results", limit=4)
    assert outcome.having("passed") == []
    assert "ended after 4 s" in outcome.output
    assert note.read_text() == "cleaned up"
