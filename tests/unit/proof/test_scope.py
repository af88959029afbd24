"""A layer counts as complete only when nothing of it was left out, asked for or not."""

from pathlib import Path

import pytest

from fixtures.proof.results_scope import Scope, covered

pytestmark = pytest.mark.req("R-0-partial-run-checks-marks")

ALL = {"unit", "integration", "e2e", "meta"}
UNIT, META = "tests/unit/test_a.py::test_b", "tests/meta/test_c.py::test_d"


@pytest.mark.parametrize(
    ("arguments", "layers"),
    [
        (["tests/unit"], {"unit"}),
        (["tests/unit/"], {"unit"}),
        (["./tests/../tests/unit"], {"unit"}),
        (["tests"], ALL),
        (["."], ALL),
        (["tests/unit", "tests/meta"], {"unit", "meta"}),
        (["tests/unit/aws"], set()),
        (["tests/unit/test_a.py"], set()),
        (["tests/unit::test_b"], set()),
        (["tests/uni"], set()),
    ],
)
def test_the_layers_that_arguments_cover(tmp_path: Path, arguments: list[str], layers: set[str]) -> None:
    """Only a whole folder, or one above it."""
    assert covered(arguments, tmp_path, tmp_path) == layers


def test_arguments_are_meant_from_where_pytest_was_started(tmp_path: Path) -> None:
    """``pytest .`` in a layer's folder is that layer."""
    assert covered(["."], tmp_path / "tests" / "e2e", tmp_path) == {"e2e"}


@pytest.mark.parametrize(
    ("scope", "complete"),
    [
        (Scope({"unit", "meta"}, {UNIT, META}), {"unit", "meta"}),
        (Scope({"unit"}, {UNIT, META}), {"unit"}),
        (Scope({"unit", "meta"}, {UNIT, META}, narrowed={"meta"}), {"unit"}),
        (Scope({"unit", "meta"}, {UNIT, META, "tests/meta/test_c.py::test_never_ended"}), {"unit"}),
        (Scope({"unit", "meta"}, {UNIT, META}, broken=True), set()),
    ],
)
def test_what_was_left_out_makes_a_layer_incomplete(scope: Scope, complete: set[str]) -> None:
    """Deselected, not ended, or in a file that could not be read."""
    assert scope.complete({UNIT, META}) == complete
