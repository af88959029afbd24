"""A row's state follows from what its layers said, and the worst of it wins."""

import pytest

from fixtures.proof.report.matrix import Row, State, matrix, unknown
from fixtures.proof.report.models import Layer, Outcome, Spec
from fixtures.proof.requirements import Layer as LayerName
from fixtures.proof.requirements import Requirement

pytestmark = pytest.mark.req("R-0-report-matrix")


def _layer(name: str, *outcomes: Outcome, complete: bool = True) -> Layer:
    specs = tuple(
        Spec(id=f"{name}::{index}", requirements=("R-1-x",), outcome=outcome, reason="why")
        for index, outcome in enumerate(outcomes)
    )
    return Layer(layer=name, complete=complete, specs=specs)


def _only(*layers: Layer, needs: tuple[LayerName, ...] = ("unit", "e2e"), open: str | None = None) -> Row:
    requirement = Requirement(
        id="R-1-x", section="1", text="Holds.", severity="loss", layers=needs, open=open
    )
    (row,) = matrix([requirement], {layer.layer: layer for layer in layers})
    return row


@pytest.mark.parametrize(
    ("layers", "state"),
    [
        ([_layer("unit", "passed"), _layer("e2e", "passed")], State.PROVEN),
        ([_layer("unit", "passed"), _layer("e2e", "skipped", "passed")], State.PROVEN),
        ([_layer("unit", "passed")], State.NOT_RUN),
        ([_layer("unit", "passed"), _layer("e2e", complete=False)], State.NOT_RUN),
        ([_layer("unit", "passed"), _layer("e2e")], State.UNPROVEN),
        ([_layer("unit", "passed"), _layer("e2e", "skipped")], State.UNPROVEN),
        ([_layer("unit", "passed"), _layer("e2e", "passed", "failed")], State.FAILED),
        ([_layer("unit", "failed")], State.FAILED),
        ([_layer("unit", "passed"), _layer("e2e", "passed"), _layer("meta", "failed")], State.FAILED),
        ([], State.NOT_RUN),
    ],
)
def test_the_state_of_a_closed_row(layers: list[Layer], state: State) -> None:
    """Each layer must have a passing spec, and no spec that names the row may fail."""
    row = _only(*layers)
    assert row.state is state
    assert bool(row.why) is (state is not State.PROVEN)


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_live_never_makes_a_row_worse(outcome: Outcome) -> None:
    """A live spec that fails or is missing leaves the row as the other layers have it."""
    e2e = _layer("e2e", "passed")
    assert _only(e2e, _layer("live", outcome), needs=("e2e", "live")).state is State.PROVEN
    assert _only(e2e, needs=("e2e", "live")).state is State.PROVEN


@pytest.mark.parametrize(
    ("outcomes", "state"), [((), State.OPEN), (("passed",), State.STALE), (("failed",), State.FAILED)]
)
def test_an_open_row(outcomes: tuple[Outcome, ...], state: State) -> None:
    """An open row is in plain sight with its reason, and may not have a passing spec."""
    row = _only(_layer("e2e", *outcomes), open="later work")
    assert row.state is state
    assert state is State.FAILED or "later work" in row.why


def test_a_closed_row_without_a_layer_is_unproven() -> None:
    """What only a live host can show is not shown by any layer of the simulation."""
    assert _only(_layer("e2e"), needs=("live",)).state is State.UNPROVEN


def test_ids_that_the_catalogue_lacks_are_named() -> None:
    """With the specs that name them."""
    assert unknown([], {"e2e": _layer("e2e", "passed")}) == {"R-1-x": ["e2e::0"]}
