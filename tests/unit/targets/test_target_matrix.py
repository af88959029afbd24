"""The table of what each target can show: by the specs' marks, whole or in part."""

from itertools import count

import pytest

from fixtures.targets.matrix import Spec, table

pytestmark = pytest.mark.req("R-0-target-matrix")
_numbers = count()


def spec(
    *requirements: str, name: str = "", needs: tuple[str, ...] = (), changes: tuple[str, ...] = ()
) -> Spec:
    """One with these marks, and a name of its own when none is given."""
    return Spec(name or f"test_{next(_numbers)}", requirements, frozenset(needs), frozenset(changes))


def row(document: str, id_: str) -> str | None:
    """The line of a requirement in the first table, if it has one."""
    return next((line for line in document.splitlines() if line.startswith(f"| {id_} |")), None)


def test_each_requirement_is_whole_or_in_part_and_names_its_needs() -> None:
    """All its specs can look: whole. One that looks inside beside: in part. What is merely read is live's."""
    document = table(
        [
            spec("R-1-a", needs=("tailnet", "accounts")),
            spec("R-1-a", "R-1-b", needs=("internet",)),
            spec("R-1-b"),
            spec("R-1-c", needs=("tailnet",), changes=("load",)),
            spec("R-1-d", needs=("simulation",)),
            spec("R-1-e", name="test_ways", needs=("simulation",)),
            spec("R-1-e", name="test_ways", needs=("host",)),
        ],
        {f"R-1-{letter}": ["e2e"] for letter in "abcde"},
    )
    assert row(document, "R-1-a") == "| R-1-a | whole | whole | accounts, tailnet; internet |"
    assert row(document, "R-1-b") == "| R-1-b | in part | in part | internet |"
    assert row(document, "R-1-c") == "| R-1-c | whole, with load allowed | no | tailnet |"
    assert row(document, "R-1-d") is None
    assert row(document, "R-1-e") == "| R-1-e | whole | whole | host |"


def test_the_rest_is_listed_by_its_reason() -> None:
    """Each once, in the catalogue's order."""
    document = table(
        [spec("R-1-inside"), spec("R-1-within", needs=("simulation",)), spec("R-1-seen", needs=("host",))],
        {
            "R-1-seen": ["e2e"], "R-1-within": ["e2e"], "R-1-inside": ["unit", "e2e"],
            "R-1-file": ["unit"], "R-1-real": ["live"],
        },
    )  # fmt: skip
    parts = document.split("\n## ")
    listed = [[line[2:] for line in part.splitlines() if line.startswith("- R-")] for part in parts[1:]]
    assert [part.splitlines()[0] for part in parts[1:]] == [
        "In the simulated world alone", "By files and components", "On a deployed system alone",
    ]  # fmt: skip
    assert listed == [["R-1-within", "R-1-inside"], ["R-1-file"], ["R-1-real"]]
