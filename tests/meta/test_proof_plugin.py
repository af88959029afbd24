"""The proof's plugin sees each way in which a green run could mean less than it says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.meta.proof_project import DOOR, HATCH, WINDOW, Project, row

Make = Callable[..., Project]

DOOR_SPEC = '@req("R-1-door")\ndef test_door():\n    pass\n'
WINDOW_SPEC = '@req("R-1-window")\ndef test_window():\n    pass\n'
RED_SPEC = '@req("R-1-window")\ndef test_window():\n    assert 1 == 2\n'
ROWS = row("door", DOOR) + row("window", WINDOW)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a project whose unit specs stand in one file; only the unit layer exists unless said."""

    def act(code: str, rows: str = ROWS, floor: int = 1, **more: str) -> Project:
        files = {"unit/test_house.py": code} | {f"{layer}/test_more.py": text for layer, text in more.items()}
        return Project.create(tmp_path, rows, files, {"unit": floor})

    return act


@pytest.mark.req("R-0-catalogue-enforced", "R-0-results-recorded")
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_complete_run_that_shows_every_row_passes(make: Make, workers: tuple[str, ...]) -> None:
    """The control of everything below: status 0, recorded as complete, with the ids of each spec."""
    project = make(DOOR_SPEC + WINDOW_SPEC)
    ended = project.run("tests/unit", *workers, plugins=("xdist.plugin",))
    assert ended.status == 0, ended.output
    recorded = project.results()
    assert recorded["complete"] is True
    assert [(s["id"], s["requirements"], s["outcome"]) for s in recorded["specs"]] == [
        ("tests/unit/test_house.py::test_door", ["R-1-door"], "passed"),
        ("tests/unit/test_house.py::test_window", ["R-1-window"], "passed"),
    ]


@pytest.mark.req("R-0-catalogue-enforced")
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_row_without_a_passing_spec_fails_the_run(make: Make, workers: tuple[str, ...]) -> None:
    """All specs are green, one row has none: status 1, and the row is named with its promise."""
    ended = make(DOOR_SPEC).run("tests/unit", *workers, plugins=("xdist.plugin",))
    assert ended.status == 1, ended.output
    assert "unit: not proven" in ended.output
    assert f"R-1-window: no spec of unit has shown it (none names it): {WINDOW}" in ended.output
    assert "R-1-door:" not in ended.output


@pytest.mark.req("R-0-catalogue-enforced")
def test_a_skipped_spec_shows_nothing(make: Make) -> None:
    """A skip with a good reason is no failure of the spec, but its row is not proven."""
    spec = '@req("R-1-window")\ndef test_window():\n    skip(CapabilityAbsent("no glass"))\n'
    project = make(DOOR_SPEC + spec)
    ended = project.run("tests/unit")
    assert ended.status == 1, ended.output
    assert (
        "R-1-window: no spec of unit has shown it (tests/unit/test_house.py::test_window skipped)"
        in ended.output
    )
    assert project.results()["specs"][1]["reason"] == "CapabilityAbsent: no glass"


@pytest.mark.req("R-0-catalogue-enforced")
def test_a_row_is_shown_in_each_of_its_layers(make: Make) -> None:
    """A spec of another layer does not stand in; and nobody waits here for the live layer."""
    rows = ROWS + row("hatch", HATCH, "unit", "meta", "live")
    hatch = '@req("R-1-hatch")\ndef test_hatch():\n    pass\n'
    ended = make(DOOR_SPEC + WINDOW_SPEC, rows, meta=hatch).run("tests/unit", "tests/meta")
    assert ended.status == 1, ended.output
    assert "R-1-hatch: no spec of unit" in ended.output
    assert "no spec of meta" not in ended.output
    assert "no spec of live" not in ended.output


@pytest.mark.req("R-0-catalogue-enforced")
@pytest.mark.parametrize(("spec", "status"), [(WINDOW_SPEC, 1), (RED_SPEC, 1), ("", 0)])
def test_an_open_row_with_a_passing_spec_is_no_longer_open(make: Make, spec: str, status: int) -> None:
    """It must be closed then; without a spec, or with a red one, it may stay open."""
    rows = row("door", DOOR) + row("window", WINDOW, open_="comes with the glazier")
    ended = make(DOOR_SPEC + spec, rows).run("tests/unit")
    assert ended.status == status, ended.output
    said = "R-1-window: no longer open: tests/unit/test_house.py::test_window passes" in ended.output
    assert said == (spec == WINDOW_SPEC)


@pytest.mark.req("R-0-catalogue-enforced")
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("", ("names no requirement",)),
        ("@req()", ("its mark req names no id",)),
        ("@req", ("its mark req names no id",)),
        ('@req("R-1-window", why="x")', ("its mark req names no id",)),
        ('@req("R-1-windwo")', ("unknown requirement 'R-1-windwo'", "nearest known: R-1-window, R-1-door")),
        ('@req("R-1-window", "R-1-roof")', ("unknown requirement 'R-1-roof'",)),
    ],
)
def test_a_spec_without_a_known_requirement_is_not_collected(
    make: Make, mark: str, words: tuple[str, ...], workers: tuple[str, ...]
) -> None:
    """The run ends before a spec runs; the message names the spec, the id and what may have been meant."""
    if mark == "@req":
        mark = "@req()\n@req()"  # pytest takes a bare mark for a decorator without arguments
    project = make(f"{DOOR_SPEC}\n{mark}\ndef test_window():\n    pass\n")
    ended = project.run("tests/unit", *workers, plugins=("xdist.plugin",))
    assert ended.status in (1, 2), ended.output
    for word in ("tests/unit/test_house.py::test_window: ", *words):
        assert word in ended.output
    assert "test_house.py::test_door: " not in ended.output


@pytest.mark.req("R-0-catalogue-enforced")
def test_marks_of_class_module_and_parameter_count(make: Make) -> None:
    """Each is a way to name a promise; a parameter without one is found beside one that has it."""
    code = (
        '@req("R-1-door")\nclass TestDoor:\n    def test_it(self):\n        pass\n'
        '@pytest.mark.parametrize("pane", [pytest.param(1, marks=req("R-1-window"))])\n'
        "def test_window(pane):\n    pass\n"
    )
    project = make(code)
    assert project.run("tests/unit").status == 0
    assert [spec["requirements"] for spec in project.results()["specs"]] == [["R-1-door"], ["R-1-window"]]
    bare = make(code.replace("))])", ")), 2])"))
    assert "test_window[2]: names no requirement" in bare.run("tests/unit").output
    module = make('pytestmark = req("R-1-door", "R-1-window")\ndef test_both():\n    pass\n')
    assert module.run("tests/unit").status == 0


@pytest.mark.req("R-0-partial-run-checks-marks")
@pytest.mark.parametrize(
    "arguments",
    [
        ("tests/unit", "-k", "door"),
        ("tests/unit/test_house.py",),
        ("tests/unit/test_house.py::test_door",),
        ("tests/unit", "--deselect", "tests/unit/test_house.py::test_window"),
        ("tests/unit", "-m", "not slow"),
        ("tests/unit", "--ignore", "tests/unit/test_other.py"),
        ("tests/unit", "--collect-only"),
        ("tests/unit", "--setup-plan"),
        ("tests/unit", "--setup-only"),
        ("tests/unit", "-n", "2", "-k", "door"),
    ],
)
def test_a_selection_owes_nothing_but_its_marks(make: Make, arguments: tuple[str, ...]) -> None:
    """A row without a spec and a high floor would fail the whole layer; a part of it passes."""
    slow = "\n@pytest.mark.slow\n" + DOOR_SPEC.replace("test_door", "test_slow")
    project = make(DOOR_SPEC + DOOR_SPEC.replace("test_door", "test_window") + slow, floor=50)
    with (project.root / "pytest.ini").open("a") as ini:
        ini.write("markers = slow\n")
    ended = project.run(*arguments, plugins=("xdist.plugin",))
    assert ended.status == 0, ended.output
    if "--collect-only" not in arguments:
        assert project.results()["complete"] is False
    assert project.run("tests/unit").status == 1


@pytest.mark.req("R-0-partial-run-checks-marks")
def test_a_run_broken_off_is_not_complete(make: Make) -> None:
    """-x leaves specs out: the failure is reported, and no row is called unproven for want of its spec."""
    project = make(RED_SPEC.replace("test_window", "test_a") + DOOR_SPEC + WINDOW_SPEC)
    ended = project.run("tests/unit", "-x")
    assert ended.status == 1
    assert "not proven" not in ended.output
    assert project.results()["complete"] is False
    again = project.run("tests/unit", "--last-failed")
    assert again.status == 1
    assert "not proven" not in again.output


@pytest.mark.req("R-0-partial-run-checks-marks")
def test_an_interrupt_at_the_very_end_is_no_verdict(make: Make) -> None:
    """All specs have passed, but the clean-up after them was broken off: pytest's own status stays."""
    fixture = '@pytest.fixture(scope="session")\ndef house():\n    yield\n    raise KeyboardInterrupt\n'
    project = make(fixture + DOOR_SPEC.replace("test_door()", "test_door(house)"))
    ended = project.run("tests/unit")
    assert ended.status == 2, ended.output
    assert "not proven" not in ended.output
    assert project.results()["complete"] is False


@pytest.mark.req("R-0-spec-floors")
@pytest.mark.parametrize(("floor", "status"), [(2, 0), (3, 1)])
def test_a_layer_has_a_floor(make: Make, floor: int, status: int) -> None:
    """From both edges: as many specs as the floor are enough, one fewer is not; a skipped one did not run."""
    skipped = '@req("R-1-door")\ndef test_more():\n    skip(CapabilityAbsent("no glass"))\n'
    ended = make(DOOR_SPEC + WINDOW_SPEC + skipped, floor=floor).run("tests/unit")
    assert ended.status == status, ended.output
    assert ("only 2 specs of unit ran; at least 3 must" in ended.output) == (status == 1)


@pytest.mark.req("R-0-catalogue-checked")
def test_a_bad_catalogue_starts_nothing(make: Make) -> None:
    """The message names the row; the status is pytest's for wrong usage; no spec has run."""
    ended = make(DOOR_SPEC, ROWS.replace('"loss"', '"sad"')).run("tests/unit")
    assert ended.status == 4
    assert "row 1 (R-1-door): severity = 'sad'" in ended.output
    assert "passed" not in ended.output
