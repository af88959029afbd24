"""The report says verified only when specs, requirements, probes, mutants and ledger agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.proof.report.judge import Judgement
from fixtures.proof.report.write import write_report
from fixtures.proof.verdict import Counts
from tests.unit.report.sample import CATALOGUE, sample, save

pytestmark = pytest.mark.req("R-0-report-verdict")

Change = Callable[[dict[str, Any]], object]


def judged(tmp_path: Path, change: Change = bool, catalogue: str = CATALOGUE, run: Any = None) -> Judgement:
    """The verdict on the sample after ``change``."""
    results = sample()
    change(results)
    path = save(results, tmp_path / "results", catalogue)
    return write_report(run, folder=tmp_path / "results", catalogue=path, target=tmp_path / "report")


def test_everything_in_order_is_verified(tmp_path: Path) -> None:
    """The control for all other cases: the sample unchanged."""
    judgement = judged(tmp_path)
    assert judgement.line == "VERIFIED: all 3 specs passed"
    assert (judgement.status, judgement.reasons) == (0, ())


def test_each_reason_is_named_once(tmp_path: Path) -> None:
    """Specs that fail for the same reason are one line, with the first of them; a passing run has none."""

    def fail(results: dict[str, Any]) -> None:
        for layer in ("specs-e2e.json", "specs-unit.json"):
            results[layer]["specs"][0] |= {"outcome": "failed", "reason": "no world"}
        results["specs-e2e.json"]["specs"][1] |= {"outcome": "failed", "reason": "250 instead of 554"}

    assert judged(tmp_path).failures == ()
    assert judged(tmp_path, fail).failures == (
        "tests/unit/test_b.py::test_root and 1 more spec: no world",
        "tests/e2e/test_a.py::test_root: 250 instead of 554",
    )


def _fails(results: dict[str, Any]) -> None:
    results["specs-e2e.json"]["specs"][0] |= {"outcome": "failed", "reason": "250 instead of 554"}


def _survives(results: dict[str, Any]) -> None:
    results["mutants.json"]["mutants"][0]["outcome"] = "survived"


def _loses(results: dict[str, Any]) -> None:
    results["ledger.json"]["faults"].append({"kind": "lost", "marker": "m1", "text": "in no mailbox"})


def _reaches(results: dict[str, Any]) -> None:
    results["reachability.json"]["cells"][0]["measured"] = "open"


def _forgets(results: dict[str, Any]) -> None:
    del results["specs-e2e.json"]["specs"][0]


def _skips(results: dict[str, Any]) -> None:
    results["specs-e2e.json"]["specs"][0] |= {"outcome": "skipped", "reason": "no clock"}


def _proves_what_is_open(results: dict[str, Any]) -> None:
    results["specs-e2e.json"]["specs"][0]["requirements"].append("R-9.3-backup")


def _fails_in_unit(results: dict[str, Any]) -> None:
    results["specs-unit.json"]["specs"][0] |= {"outcome": "failed", "requirements": []}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_fails, "1 of 3 specs failed"),
        (_survives, "1 mutant survived"),
        (_loses, "the ledger does not balance (1 fault)"),
        (_reaches, "1 probe found something else than expected"),
        (_forgets, "1 closed requirement without a passing spec"),
        (_skips, "1 closed requirement without a passing spec"),
        (_proves_what_is_open, "1 requirement marked open though a spec passes"),
    ],
)
def test_what_forbids_the_word(tmp_path: Path, change: Change, words: str) -> None:
    """One fault alone turns the line, names itself, and the exit status says the same."""
    judgement = judged(tmp_path, change)
    assert judgement.line.startswith("NOT VERIFIED: ")
    assert words in judgement.line
    assert judgement.status == 1


@pytest.mark.parametrize(
    ("change", "words"), [(_fails_in_unit, "1 spec of layer unit failed"), (_survives, "1 mutant survived")]
)
def test_what_other_runs_left_is_named_beside_the_verdict(tmp_path: Path, change: Change, words: str) -> None:
    """It may be of another commit: it counts for the whole folder, not against an end-to-end run."""
    judgement = judged(tmp_path, change, run=(0, Counts(2, 0, 1)))
    assert judgement.line == "VERIFIED: all 2 specs passed"
    assert words in judgement.beside
    assert (judgement.reasons, judgement.status) == ((), 0)
    whole = judged(tmp_path, change)
    assert (whole.status, whole.beside) == (1, ())


@pytest.mark.parametrize("change", [_fails, _loses, _reaches, _forgets, _proves_what_is_open])
def test_an_end_to_end_run_is_held_against_its_own_results(tmp_path: Path, change: Change) -> None:
    """What pytest calls passed is not verified when the run's own records speak against it."""
    assert judged(tmp_path, change, run=(0, Counts(2, 0, 1))).status == 1


def _without(file: str) -> Change:
    return lambda results: results.pop(file)


def _selects(results: dict[str, Any]) -> None:
    results["specs-e2e.json"]["complete"] = False


def _breaks_the_ledger(results: dict[str, Any]) -> None:
    results["ledger.json"] = "{"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict.clear, "no specs have run yet"),
        (_without("specs-e2e.json"), "the end-to-end specs left no results"),
        (_selects, "only a selection of the e2e specs ran"),
        (_without("ledger.json"), "there is no ledger of the messages"),
        (_breaks_the_ledger, "there is no ledger of the messages"),
    ],
)
def test_what_leaves_no_verdict(tmp_path: Path, change: Change, words: str) -> None:
    """Too little to judge by is neither verified nor its opposite, and has an exit status of its own."""
    judgement = judged(tmp_path, change)
    assert judgement.line.startswith("NO VERDICT: ")
    assert words in judgement.line
    assert judgement.status == 3


def test_no_catalogue_no_verdict(tmp_path: Path) -> None:
    """Specs that passed prove nothing as long as nobody knows what had to be proved."""
    assert "no catalogue" in judged(tmp_path, catalogue="not toml").line


@pytest.mark.parametrize("status", [2, 3, 5])
def test_a_run_that_broke_off_has_the_verdicts_own_words(tmp_path: Path, status: int) -> None:
    """pytest's other exit statuses end as they do on the terminal."""
    line = judged(tmp_path, run=(status, Counts(2))).line
    assert (
        line
        == f"NO VERDICT: the specs did not run to their end (pytest exit status {status}; 2 run, 0 failed)"
    )
