"""What is recorded of a spec is the worst that happened to it, and nothing before it ended."""

import json
from pathlib import Path
from typing import Literal

import pytest

from fixtures.proof.results import Recorder, Spec, layer_of, results_folder

pytestmark = pytest.mark.req("R-0-results-recorded")

When = Literal["setup", "call", "teardown"]
Outcome = Literal["passed", "failed", "skipped"]
Longrepr = str | tuple[str, int, str] | None

NAME = "tests/unit/test_a.py::test_b"


def _report(when: When, outcome: Outcome, longrepr: Longrepr = None, name: str = NAME) -> pytest.TestReport:
    """A report as pytest makes it, half a second long."""
    properties = [("requirements", "R-1-door R-1-window")]
    place = ("test_a.py", 1, "test_b")
    return pytest.TestReport(name, place, {}, outcome, longrepr, when, (), 0.5, user_properties=properties)


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        ([("setup", "passed")], "started"),
        ([("setup", "passed"), ("call", "passed")], "passed"),
        ([("setup", "passed"), ("call", "passed"), ("teardown", "passed")], "passed"),
        ([("setup", "passed"), ("call", "failed"), ("teardown", "passed")], "failed"),
        ([("setup", "passed"), ("call", "passed"), ("teardown", "failed")], "failed"),
        ([("setup", "failed"), ("teardown", "passed")], "failed"),
        ([("setup", "skipped"), ("teardown", "passed")], "skipped"),
        ([("setup", "passed"), ("call", "skipped"), ("teardown", "failed")], "failed"),
        ([("setup", "passed"), ("call", "skipped"), ("call", "passed")], "skipped"),
    ],
)
def test_the_outcome_over_all_phases(phases: list[tuple[When, Outcome]], outcome: str) -> None:
    """A clean-up that fails fails the spec; a spec that was broken off before its end passed nothing."""
    spec = Spec(NAME)
    for when, what in phases:
        spec.add(_report(when, what, "no\nmore"))
    assert spec.outcome == outcome
    assert spec.seconds == 0.5 * len(phases)
    assert spec.requirements == ["R-1-door", "R-1-window"]


def test_a_skips_reason_and_a_failures_first_line_are_kept() -> None:
    """pytest gives the one as file, line and text, the other as text."""
    skipped, failed = Spec(NAME), Spec(NAME)
    skipped.add(_report("setup", "skipped", ("test_a.py", 3, "Skipped: VantageDown: lan-host")))
    failed.add(_report("call", "failed", "AssertionError: the door is open\nassert 1 == 2"))
    assert skipped.reason == "VantageDown: lan-host"
    assert failed.reason == "AssertionError: the door is open"


def test_one_file_a_layer_without_what_never_ended(tmp_path: Path) -> None:
    """A layer that should have run and had no spec has a file, too; no half-written file stays behind."""
    recorder = Recorder()
    for name in (NAME, "tests/meta/test_c.py::test_d"):
        recorder.add(_report("call", "passed", name=name))
    recorder.add(_report("setup", "passed", name="tests/unit/test_a.py::test_broken_off"))
    recorder.write(tmp_path, {"unit", "e2e"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "specs-e2e.json",
        "specs-meta.json",
        "specs-unit.json",
    ]
    unit, meta, e2e = (
        json.loads((tmp_path / f"specs-{name}.json").read_text()) for name in ("unit", "meta", "e2e")
    )
    assert [unit["complete"], meta["complete"], e2e["complete"]] == [True, False, True]
    assert [spec["id"] for spec in unit["specs"]] == [NAME]
    assert unit["specs"][0] == {
        "id": NAME,
        "requirements": ["R-1-door", "R-1-window"],
        "outcome": "passed",
        "seconds": 0.5,
        "reason": None,
        "evidence": None,
    }
    assert e2e["specs"] == []


@pytest.mark.parametrize(
    ("nodeid", "layer"),
    [
        (NAME, "unit"),
        ("tests/integration/dell/test_x.py::test_y[a/b]", "integration"),
        ("tests/test_x.py::test_y", ""),
        ("fixtures/unit/test_x.py::test_y", ""),
    ],
)
def test_a_specs_layer_is_its_folder(nodeid: str, layer: str) -> None:
    """Below tests/, not anywhere."""
    assert layer_of(nodeid) == layer


def test_where_results_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into the checkout, unless the environment names a folder (mutants do)."""
    monkeypatch.delenv("MAILPROOF_RESULTS", raising=False)
    assert results_folder(tmp_path) == tmp_path / ".mailproof" / "results"
    monkeypatch.setenv("MAILPROOF_RESULTS", "/elsewhere")
    assert results_folder(tmp_path) == Path("/elsewhere")
