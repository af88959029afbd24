"""What recorders write is what the report reads, and says what was measured."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.probe.reach import Answer
from fixtures.progress import Progress
from fixtures.proof.recorders import reachability
from fixtures.proof.recorders.folder import OF_A_RUN, forget, save
from fixtures.proof.recorders.latency import record_latency
from fixtures.proof.recorders.phases import record_phases
from fixtures.proof.recorders.versions import checkout, record_versions
from fixtures.proof.report.models import Latency, Phases, Reachability, Versions

pytestmark = pytest.mark.req("R-0-report-recorders")

Read = Callable[..., Any]


@pytest.fixture
def no_probes_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has recorded nothing."""
    monkeypatch.setattr(reachability, "_cells", {})


@pytest.mark.usefixtures("no_probes_yet")
def test_probes_keep_source_expectation_answer_and_spec(read: Read) -> None:
    """Each port of each call is a cell; ports not named as open are expected closed."""
    answers = {("198.18.1.39", 25): Answer.OPEN, ("198.18.1.39", 22): Answer.FILTERED}
    reachability.record_probes("internet-host", "Dell", answers, {25})
    reachability.record_connection("dns", "outside", 9999, expected=False, connected=True)
    found = read("reachability.json", Reachability).cells
    assert [(c.source, c.destination, c.port, c.expected, c.measured) for c in found] == [
        ("internet-host", "Dell", 25, "open", "open"),
        ("internet-host", "Dell", 22, "closed", "filtered"),
        ("dns", "outside", 9999, "closed", "open"),
    ]
    spec = "test_recorders.py::test_probes_keep_source_expectation_answer_and_spec"
    assert all(cell.spec.endswith(spec) for cell in found)


@pytest.mark.usefixtures("no_probes_yet")
def test_a_probe_made_again_replaces_its_cell(read: Read) -> None:
    """The same spec at the same port counts once, with its last answer."""
    for answer in (Answer.OPEN, Answer.REFUSED):
        reachability.record_probes("lan-host", "Dell", {("192.168.1.39", 22): answer}, ())
    assert [cell.measured for cell in read("reachability.json", Reachability).cells] == ["refused"]


def test_phases_are_the_finished_steps(read: Read) -> None:
    """In their order, with the time that each took."""
    progress = Progress()
    progress.record("images", 1.25)
    progress.record("specs", 60)
    record_phases(progress)
    phases = read("phases.json", Phases).phases
    assert [(phase.name, phase.seconds) for phase in phases] == [("images", 1.25), ("specs", 60.0)]


def test_versions_name_commit_images_and_packages(read: Read) -> None:
    """Every image of the world and every installed package, this test runner among them."""
    record_versions()
    versions = read("versions.json", Versions)
    assert versions.packages["pytest"] == pytest.__version__
    assert versions.images["postfix"].startswith("mailproof/postfix:")


def test_a_changed_checkout_is_called_so(tmp_path: Path) -> None:
    """Clean after the commit, dirty with one more file, unknown where there is no repository."""
    assert checkout(tmp_path) == ("unknown", True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.net"]
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    argv = ["git", *identity, "commit", "--quiet", "--allow-empty", "--message=first"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    commit, dirty = checkout(tmp_path)
    assert (len(commit), dirty) == (40, False)
    (tmp_path / "more").touch()
    assert checkout(tmp_path) == (commit, True)


def test_what_an_earlier_run_left_is_forgotten(results: Path) -> None:
    """Everything that an end-to-end run writes goes, other layers' and the mutants' results stay."""
    kept = ("specs-unit.json", "mutants.json")
    for name in (*OF_A_RUN, *kept):
        save(name, {})
    forget()
    assert {path.name for path in results.iterdir()} == set(kept)


def test_latency_keeps_both_numbers_of_each_hop(read: Read) -> None:
    """For each system and hop the median and what one in a hundred exceeds, in seconds."""
    record_latency(40, {"the system": {"queue": (0.01, 0.02), "total": (0.3, 2.0)}})
    found = read("latency.json", Latency)
    assert found.messages == 40
    assert [(row.system, row.hop, row.p50, row.p99) for row in found.rows] == [
        ("the system", "queue", 0.01, 0.02),
        ("the system", "total", 0.3, 2.0),
    ]
