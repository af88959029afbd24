"""A failed spec leaves what is needed to understand it, and nothing that must stay secret."""

import shlex
from pathlib import Path

import pytest

from tests.meta.proof_project import DOOR, WINDOW, Project, row

SECRET = "correct-horse-battery"
SPEC = f'''
import logging
@req("R-1-door", "R-1-window")
@pytest.mark.parametrize("side", ["left"])
def test_door(side):
    logging.getLogger("mailproof.steps").debug("knocked with %s", "{SECRET}")
    print("seen: {SECRET}")
    assert 1 == 2, "{SECRET}"
'''
SOURCES = f'''
def pytest_mailproof_secrets(failure):
    return ["{SECRET}"]
def pytest_mailproof_evidence(item, failure):
    def breaks():
        raise OSError("no answer from {SECRET}")
    return {{"rules/igw.txt": lambda: "table inet {SECRET}", "broken.txt": breaks}}
'''
ROWS = row("door", DOOR) + row("window", WINDOW)


def _project(root: Path, spec: str = SPEC, sources: str = SOURCES) -> Project:
    project = Project.create(root, ROWS, {"unit/test_house.py": spec}, {"unit": 1})
    with (root / "conftest.py").open("a") as conftest:
        conftest.write(sources)
    return project


@pytest.mark.req("R-0-broken-promise-first")
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_promise_stands_before_the_traceback(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Ids and texts of all that the spec names, and the folder; only then what pytest shows."""
    project = _project(tmp_path)
    ended = project.run("tests/unit", *workers, plugins=("xdist.plugin",))
    assert ended.status == 1
    promise, _, traceback = ended.output.partition("= FAILURES =")
    assert f"R-1-door: {DOOR}" in promise
    assert f"R-1-window: {WINDOW}" in promise
    assert ".mailproof/failures/unit-test_house-test_door-left-" in promise
    assert "AssertionError" not in promise
    assert "AssertionError" in traceback


@pytest.mark.req("R-0-failure-evidence")
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_folder_holds_what_happened(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Promise, traceback, output, steps, sources; the results name the folder."""
    project = _project(tmp_path)
    project.run("tests/unit", *workers, plugins=("xdist.plugin",))
    folder = project.folder()
    assert project.results()["specs"][0]["evidence"] == str(folder.relative_to(tmp_path))
    failure = (folder / "failure-call.txt").read_text()
    for words in (f"R-1-door: {DOOR}", "assert 1 == 2", "Captured stdout call", "seen: ***"):
        assert words in failure
    assert "knocked with ***" in (folder / "steps.txt").read_text()
    assert (folder / "rules" / "igw.txt").read_text() == "table inet ***\n"


@pytest.mark.req("R-0-failure-evidence")
def test_the_command_runs_just_that_spec_again(tmp_path: Path) -> None:
    """Taken as written, in the checkout's root, with the seed that was used."""
    project = _project(tmp_path)
    project.run("tests/unit", "--randomly-seed=7", plugins=("pytest_randomly",))
    program, *arguments = shlex.split((project.folder() / "rerun.txt").read_text())
    assert program == ".mailproof/venv/bin/pytest"
    assert "--randomly-seed=7" in arguments
    again = project.run(*arguments, plugins=("pytest_randomly",))
    assert "1 failed" in again.output
    assert "test_door[left]" in again.output


@pytest.mark.req("R-0-failure-evidence")
def test_a_spec_that_passes_again_leaves_no_folder(tmp_path: Path) -> None:
    """What an earlier run left about it is gone; about a spec that was not run it stays."""
    project = _project(tmp_path, SPEC + SPEC.replace("test_door", "test_window"))
    project.run("tests/unit")
    file = tmp_path / "tests/unit/test_house.py"
    file.write_text(file.read_text().replace("1 == 2", "1 == 1"))
    project.run("tests/unit", "-k", "window")
    assert project.folder().name.startswith("unit-test_house-test_door-")


@pytest.mark.req("R-0-evidence-without-secrets")
def test_no_secret_enters_the_folder(tmp_path: Path) -> None:
    """The spec said it, printed it and stepped on it, a source gave it and another broke with it."""
    project = _project(tmp_path)
    assert SECRET in project.run("tests/unit").output
    files = [path for path in project.folder().rglob("*") if path.is_file()]
    assert len(files) >= 5
    for path in files:
        assert SECRET not in path.read_text(), path
        assert "***" in path.read_text() or path.name == "rerun.txt", path
    assert project.results()["specs"][0]["reason"] == "AssertionError: ***"


@pytest.mark.req("R-0-evidence-without-secrets")
def test_without_the_secrets_nothing_enters(tmp_path: Path) -> None:
    """When nobody can say what is secret, the folder says just that."""
    sources = SOURCES.replace('return ["', 'raise OSError("no answer")\n    return ["')
    project = _project(tmp_path, sources=sources)
    project.run("tests/unit")
    assert [path.name for path in project.folder().iterdir()] == ["errors.txt"]
    assert "left out, since OSError: no answer" in (project.folder() / "errors.txt").read_text()
    assert "not recorded" in project.results()["specs"][0]["reason"]


@pytest.mark.req("R-0-evidence-hides-nothing")
def test_a_broken_source_is_named_in_the_folder(tmp_path: Path) -> None:
    """The spec's failure is reported as it was; the other sources' files are there."""
    project = _project(tmp_path)
    ended = project.run("tests/unit")
    assert "assert 1 == 2" in ended.output
    assert "INTERNALERROR" not in ended.output
    assert (project.folder() / "errors.txt").read_text() == "broken.txt: OSError: no answer from ***\n"


@pytest.mark.req("R-0-evidence-hides-nothing")
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise RuntimeError('no sources')", "sources: RuntimeError: no sources"),
        ("import pytest; pytest.fail('time is up')", "sources: Failed: time is up"),
        ("return {'../../failures': lambda: 'x'}", "ValueError: '../../failures' leads out of the folder"),
        ("return {'a.txt': lambda: 3}", "a.txt: TypeError: "),
    ],
)
def test_evidence_that_cannot_be_gathered_hides_nothing(tmp_path: Path, body: str, error: str) -> None:
    """Whatever breaks, also by pytest's own ways to fail: failure, promise and results are whole."""
    project = _project(tmp_path, sources=f"def pytest_mailproof_evidence(item, failure):\n    {body}\n")
    ended = project.run("tests/unit")
    assert ended.status == 1
    assert "INTERNALERROR" not in ended.output
    for words in (f"R-1-door: {DOOR}", "assert 1 == 2", "1 failed"):
        assert words in ended.output
    assert error in (project.folder() / "errors.txt").read_text()
    assert "assert 1 == 2" in (project.folder() / "failure-call.txt").read_text()
    assert project.results()["specs"][0]["reason"] == f"AssertionError: {SECRET}"  # nobody called it secret


@pytest.mark.req("R-0-evidence-hides-nothing")
def test_a_place_that_cannot_be_written_hides_nothing(tmp_path: Path) -> None:
    """Here a file stands where the folders should be."""
    project = _project(tmp_path)
    (tmp_path / ".mailproof").mkdir()
    (tmp_path / ".mailproof" / "failures").write_text("a file")
    ended = project.run("tests/unit")
    assert ended.status == 1
    assert "assert 1 == 2" in ended.output
    assert "not gathered: " in ended.output
