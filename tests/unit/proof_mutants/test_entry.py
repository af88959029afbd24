"""Entries: what is no mutant is refused with its name and the reason, before anything runs."""

from pathlib import Path

import pytest

from fixtures.proof.mutants.change import behaviour
from fixtures.proof.mutants.entry import Mutant, MutantError, load_mutants
from fixtures.proof.mutants.tree import Tree

pytestmark = pytest.mark.req("R-0-mutants")

ENTRY = """
[[mutant]]
name = "{name}"
breaks = "R-4.2-relay"
why = "a neighbour is trusted"
file = "main.cf"
find = "127.0.0.0/8"
replace = "10.0.0.0/8"
specs = ["tests/unit/test_it.py::test_it"]
"""
MAIN = "# loopback alone\nmynetworks = 127.0.0.0/8\n"


def mutant(**changed: object) -> Mutant:
    """A sound mutant of ``main.cf``, some of its keys changed."""
    sound = {
        "name": "wide", "breaks": "harness", "why": "a neighbour is trusted", "file": "main.cf",
        "find": "127.0.0.0/8", "replace": "10.0.0.0/8", "specs": ["tests/unit/test_it.py"],
    }  # fmt: skip
    return Mutant.model_validate(sound | changed)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with one configuration file."""
    (tmp_path / "main.cf").write_text(MAIN)
    return tmp_path


def test_entries_are_read_from_every_file_in_order(tmp_path: Path) -> None:
    """Files by name, entries as they stand; a pattern selects by name."""
    (tmp_path / "b.toml").write_text(ENTRY.format(name="third"))
    (tmp_path / "a.toml").write_text(ENTRY.format(name="first") + ENTRY.format(name="second"))
    assert [entry.name for entry in load_mutants(tmp_path)] == ["first", "second", "third"]
    assert [entry.name for entry in load_mutants(tmp_path, "ir")] == ["first", "third"]


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    """Results go by name, so a name belongs to one entry, in whatever file."""
    for file in ("a.toml", "b.toml"):
        (tmp_path / file).write_text(ENTRY.format(name="same"))
    with pytest.raises(MutantError, match="same: two entries have this name"):
        load_mutants(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('breaks = "something"', "broken: breaks"),
        ("specs = []", "broken: specs"),
        ('why = "short"', "broken: why"),
        ('colour = "red"', "broken: colour"),
        ('component = "dell"', "broken: component"),
    ],
)
def test_a_bad_entry_is_named_with_its_key(tmp_path: Path, line: str, reason: str) -> None:
    """File, entry and key stand in the refusal."""
    key = line.split(" = ")[0]
    kept = [text for text in ENTRY.format(name="broken").splitlines() if not text.startswith(f"{key} =")]
    (tmp_path / "x.toml").write_text("\n".join([*kept, line]))
    with pytest.raises(MutantError, match=f"x.toml: {reason}"):
        load_mutants(tmp_path)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"file": "master.cf"}, "there is no file master.cf"),
        ({"find": "192.168.0.0"}, "`find` occurs 0 times"),
        ({"find": "0"}, "`find` occurs 3 times"),
        ({"find": "loopback alone", "replace": "whatever"}, "comments or white space only"),
        ({"find": "mynetworks = ", "replace": "mynetworks  =   "}, "comments or white space only"),
    ],
)
def test_a_change_that_changes_nothing_is_refused(
    checkout: Path, changed: dict[str, str], reason: str
) -> None:
    """The text must be there, once, and what it does must change; the file is left alone."""
    with pytest.raises(MutantError, match=f"wide: .*{reason}"):
        mutant(**changed).apply(checkout)
    assert (checkout / "main.cf").read_text() == MAIN


def test_a_change_is_undone_byte_for_byte(checkout: Path) -> None:
    """Applied for a while, whatever happens meanwhile."""

    def broken() -> None:
        with Tree(checkout).changed(mutant()):
            assert (checkout / "main.cf").read_text() == MAIN.replace("127.0.0.0/8", "10.0.0.0/8")
            raise RuntimeError("while it was changed")

    with pytest.raises(RuntimeError, match="while it was changed"):
        broken()
    assert (checkout / "main.cf").read_text() == MAIN


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("main.cf", "a = b\n", "a = b   # no comment in Postfix\n"),
        ("main.cf", "a = b\n  c\n", "a = b\nc\n"),
        ("x.php", "$a = 1;\n", "# $a = 1;\n"),
        ("policy.hujson", '{"a": 1}\n', '// {"a": 1}\n'),
    ],
)
def test_what_changes_behaviour(name: str, one: str, other: str) -> None:
    """Continuation lines, words and statements count."""
    assert behaviour(name, one) != behaviour(name, other)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("main.cf", "a = b\n", "# why\n\na  =  b\n"),
        ("vpc.tf", "a = 1\n", "// why\n# why\na   = 1\n"),
        ("x.php", "$a = 1;\n", "// why\n$a = 1;\n"),
    ],
)
def test_what_does_not(name: str, one: str, other: str) -> None:
    """Whole-line comments, blank lines and the width of spaces do not."""
    assert behaviour(name, one) == behaviour(name, other)


@pytest.mark.parametrize(
    ("component", "spec", "in_world", "fast"),
    [
        ("copy", "tests/unit/test_it.py", False, True),
        ("simulator", "tests/meta/test_it.py", False, True),
        ("copy", "tests/integration/test_it.py", False, False),
        ("server", "tests/e2e/test_it.py", True, False),
    ],
)
def test_where_it_is_tried(component: str, spec: str, in_world: bool, fast: bool) -> None:
    """Copies and broken simulators need no world; fast is what needs no container either."""
    found = mutant(component=component, specs=[spec])
    assert (found.in_world, found.fast) == (in_world, fast)
