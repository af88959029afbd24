"""Entries of tests/meta/mutants: each applies to this tree, breaks a known promise, and names real specs."""

import ast
import shutil
import tomllib
from functools import cache
from pathlib import Path

import pytest

from fixtures.proof.mutants.entry import Mutant, load_mutants

pytestmark = pytest.mark.req("R-0-mutants")

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = load_mutants(ROOT / "tests/meta/mutants")
each = pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])


@cache
def functions(path: Path) -> frozenset[str]:
    """The names of a file's functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@each
def test_it_changes_this_tree(mutant: Mutant, tmp_path: Path) -> None:
    """The text is in the file, once, and what the file does changes; the working tree stays as it is."""
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / mutant.file, copy)
    assert mutant.apply(tmp_path) == (ROOT / mutant.file).read_text(encoding="utf-8")
    assert copy.read_bytes() != (ROOT / mutant.file).read_bytes()


@each
def test_it_changes_what_it_says(mutant: Mutant) -> None:
    """Mutants of the simulator change the harness, all others what deploys; never a spec."""
    room = mutant.file.split("/")[0]
    assert room in ({"fixtures"} if mutant.component == "simulator" else {"compose", "infra"})
    assert (mutant.breaks == "harness") == (mutant.component == "simulator")


@each
def test_its_specs_exist(mutant: Mutant) -> None:
    """Every named spec is a function of a file that is there."""
    for spec in mutant.specs:
        file, _, name = spec.partition("::")
        assert name.split("[")[0] in functions(ROOT / file), spec


def test_each_breaks_a_known_promise() -> None:
    """``breaks`` is an id of docs/requirements.toml."""
    text = (ROOT / "docs/requirements.toml").read_text(encoding="utf-8")
    known = {row["id"] for row in tomllib.loads(text)["requirement"]} | {"harness"}
    assert {mutant.name: mutant.breaks for mutant in MUTANTS if mutant.breaks not in known} == {}


def test_there_are_enough_of_each_kind() -> None:
    """Sixty at least, twenty of them against the harness itself, and most of them quick."""
    deployable = [mutant for mutant in MUTANTS if mutant.component != "simulator"]
    assert len(deployable) >= 60
    assert len(MUTANTS) - len(deployable) >= 20
    assert sum(mutant.fast for mutant in MUTANTS) >= 60
